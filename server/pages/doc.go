// Package pages is what users see who open a link from a mail: pages to verify an address and to choose a new password.
// They are Mustache templates, bundled or the site's own, in the user's language where there is such a page.
//
// Everything that comes from a request is escaped, and no path leads out of the folder of pages. The package must not
// know how accounts are kept, nor anything of the rest of the API.
package pages
