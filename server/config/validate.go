//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/jsregexp"
)

// checkShapes makes those of parse-server's checks that need to see the values as they came, before they are decoded.
func checkShapes(values map[string]any) error {
	for _, name := range []string{"fileUpload", "fileDownload"} {
		v, ok := values[name]
		if !ok {
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s must be an object value.", name)
		}
		for k, v := range m {
			switch _, isBool := v.(bool); {
			case strings.HasPrefix(k, "enableFor") && !isBool:
				return fmt.Errorf("%s.%s must be a boolean value.", name, k)
			case k == "fileExtensions" || k == "allowedFileUrlDomains":
				if _, ok := v.([]any); !ok {
					return fmt.Errorf("%s.%s must be an array.", name, k)
				}
			}
		}
	}
	if v, ok := values["requestComplexity"]; ok {
		m, ok := v.(map[string]any)
		if !ok {
			return errors.New("requestComplexity must be an object.")
		}
		for k, v := range m {
			n, isNumber := v.(float64)
			_, isBool := v.(bool)
			switch {
			case k == "allowRegex" && !isBool:
				return errors.New("requestComplexity.allowRegex must be a boolean.")
			case k == "allowRegex":
			case !slices.ContainsFunc(nestedOf("requestComplexity"), func(d definition) bool { return d.name == k }):
				return unknownNested("requestComplexity", k)
			case !isNumber || n != float64(int(n)) || (n < 1 && n != -1):
				return fmt.Errorf("requestComplexity.%s must be a positive integer or -1 to disable.", k)
			}
		}
	}
	if err := checkRouteAllowList(values["routeAllowList"]); err != nil {
		return err
	}
	if v, ok := values["allowHeaders"]; ok {
		list, _ := v.([]any)
		for _, h := range list {
			s, ok := h.(string)
			if !ok {
				return errors.New("Allow headers must only contain strings")
			}
			if strings.TrimSpace(s) == "" {
				return errors.New("Allow headers must not contain empty strings")
			}
		}
	}
	return nil
}

// Validate makes parse-server's start-up checks, with its messages, and brings URLs and paths into one form.
func (o *Options) Validate() error {
	switch {
	case o.AppID == "" || o.MasterKey == "":
		return errors.New("appId and masterKey are required")
	case o.MasterKey == o.ReadOnlyMasterKey:
		return errors.New("masterKey and readOnlyMasterKey should be different")
	case o.MasterKey == o.MaintenanceKey:
		return errors.New("masterKey and maintenanceKey should be different")
	case o.MaintenanceKey != "" && o.MaintenanceKey == o.ReadOnlyMasterKey:
		return errors.New("maintenanceKey and readOnlyMasterKey should be different")
	case o.PublicServerURL != "" && !isHTTP(o.PublicServerURL):
		return errors.New("The option publicServerURL must be a valid URL starting with http:// or https://.")
	case o.ServerURL != "" && !isHTTP(o.ServerURL):
		return errors.New("the option serverURL must be a valid URL starting with http:// or https://")
	case !slices.Contains([]string{"", "delete", "update"}, o.Installation.DuplicateDeviceTokenAction):
		return errors.New(`installation.duplicateDeviceTokenAction must be one of: 'delete', 'update'.`)
	case !slices.Contains([]string{"", "deviceToken", "installationId"}, o.Installation.DuplicateDeviceTokenMergePriority):
		return errors.New(`installation.duplicateDeviceTokenMergePriority must be one of: 'deviceToken', 'installationId'.`)
	case o.IdempotencyOptions.TTL <= 0:
		return errors.New("idempotency TTL value must be greater than 0 seconds")
	case o.ExpireInactiveSessions && o.SessionLength <= 0:
		return errors.New("Session length must be a value greater than 0.")
	case o.DefaultLimit <= 0:
		return errors.New("Default limit must be a value greater than 0.")
	case o.MaxLimit < 0:
		return errors.New("Max limit must be a value greater than 0.")
	case o.ObjectIDSize < 1 || o.ObjectIDSize > 128:
		return errors.New("objectIdSize must be between 1 and 128")
	case o.Port < 0 || o.Port > 65535:
		return errors.New("port must be between 0 and 65535")
	case o.MaxUploadSize <= 0:
		return errors.New("maxUploadSize must be greater than 0")
	case slices.Contains(o.FileUpload.AllowedFileURLDomains, ""):
		return errors.New("fileUpload.allowedFileUrlDomains must contain only non-empty strings.")
	case !slices.Contains(o.FileUpload.AllowedFileURLDomains, "*"):
		return errors.New("option fileUpload.allowedFileUrlDomains is not supported yet by this server, except for \"*\"")
	}
	if err := o.validateEmail(); err != nil {
		return err
	}
	for _, l := range []struct {
		name string
		list IPList
	}{
		{"masterKeyIps", o.MasterKeyIPs}, {"maintenanceKeyIps", o.MaintenanceKeyIPs},
		{"readOnlyMasterKeyIps", o.ReadOnlyMasterKeyIPs},
	} {
		if _, err := l.list.Matcher(l.name); err != nil {
			return err
		}
	}
	for _, list := range [][]string{o.AllowHeaders, o.AllowOrigin} {
		for _, s := range list {
			if strings.ContainsAny(s, "\r\n\x00") {
				return errors.New("allowHeaders and allowOrigin must not hold line breaks")
			}
		}
	}
	if err := o.Logging.check(); err != nil {
		return err
	}
	if err := o.checkAuth(); err != nil {
		return err
	}
	for _, pattern := range o.RouteAllowList {
		if _, err := RoutePattern(pattern); err != nil {
			return err
		}
	}
	for _, path := range o.IdempotencyOptions.Paths {
		if _, err := PathPattern(path); err != nil {
			return err
		}
	}
	o.MountPath = "/" + strings.Trim(o.MountPath, "/")
	o.ServerURL = strings.TrimRight(o.ServerURL, "/")
	o.PublicServerURL = strings.TrimRight(o.PublicServerURL, "/")
	return checkDatabaseURI(string(o.DatabaseURI))
}

// PathPattern compiles a regular expression (JavaScript's) for paths, which matches from the start.
func PathPattern(p string) (*jsregexp.Regexp, error) {
	re, err := jsregexp.Compile("^(?:" + strings.TrimPrefix(p, "^") + ")")
	if err != nil {
		return nil, fmt.Errorf("idempotencyOptions.paths: %q is no regular expression for paths", p)
	}
	return re, nil
}

func isHTTP(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// checkDatabaseURI accepts the schemes of the bundled worker. The address may hold a password, so no error repeats it.
func checkDatabaseURI(uri string) error {
	scheme, _, ok := strings.Cut(uri, "://")
	if !ok {
		return errors.New("databaseURI is not a URL such as sqlite://data/parse.db or postgres://user@host/database")
	}
	switch strings.ToLower(scheme) {
	case "sqlite", "postgres", "postgresql":
		return nil
	case "mongodb", "mongodb+srv":
		return errors.New("databaseURI: this server doesn't support MongoDB; use sqlite:// or postgres://, or run parse-server for Node on MongoDB behind the gateway as an upstream")
	}
	return fmt.Errorf("databaseURI: unknown scheme %q; use sqlite:// or postgres://", scheme)
}

// URL returns the API's public address: publicServerURL, else serverURL, else the default made of the port.
func (o *Options) URL() string {
	switch {
	case o.PublicServerURL != "":
		return o.PublicServerURL
	case o.ServerURL != "":
		return o.ServerURL
	}
	return fmt.Sprintf("http://localhost:%d%s", o.Port, strings.TrimRight(o.MountPath, "/"))
}
