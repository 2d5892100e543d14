package trigger

import "io"

// FileClass and ConfigClass are where the triggers of files and of the app's configuration are.
const (
	FileClass   = "@File"
	ConfigClass = "@Config"
)

// File is what a trigger of files is called with.
type File struct {
	// Name is the file's name. BeforeSave may change it: another one is given to the file then. BeforeFind may, too:
	// another file is read then.
	Name string
	// URL is where the file is read; "" before it is stored. If BeforeSave sets it, nothing is stored, and this is what the
	// client is told.
	URL string
	// ContentType is what the uploader says of it, "" for nothing; for finds what it is served as.
	ContentType string
	// Metadata and Tags are the uploader's; Directory is where the file goes, "" for the top. BeforeSave may change them.
	Metadata, Tags map[string]any
	Directory      string
	// Size is the length of the content in bytes; -1: nobody knows.
	Size int64
	// Stream: the upload is streamed, and asked for that.
	Stream bool
	// Content is the content, for BeforeSave and AfterFind; nil for all else. A trigger may read it, and put another one in
	// its place. What BeforeSave has read and doesn't give back isn't stored.
	Content io.Reader
	// ForceDownload, if AfterFind sets it, has browsers store the file instead of showing it.
	ForceDownload bool
	// ResponseHeaders are header fields of the answer; AfterFind may change them.
	ResponseHeaders map[string]string
}

// JSON returns the file as webhooks read it.
func (f *File) JSON() map[string]any {
	out := map[string]any{"__type": "File", "name": f.Name}
	if f.URL != "" {
		out["url"] = f.URL
	}
	return out
}
