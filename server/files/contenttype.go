package files

import "strings"

// contentTypes are the media types by extension. The table is our own, so that answers don't depend on what the
// system has installed. Where two extensions share a type, the first one listed is made from it.
var contentTypes = []struct{ extension, typ string }{
	{"txt", "text/plain"}, {"text", "text/plain"}, {"log", "text/plain"}, {"conf", "text/plain"}, {"ini", "text/plain"},
	{"csv", "text/csv"}, {"tsv", "text/tab-separated-values"}, {"css", "text/css"}, {"md", "text/markdown"},
	{"html", "text/html"}, {"htm", "text/html"}, {"shtml", "text/html"}, {"ics", "text/calendar"}, {"vcf", "text/x-vcard"},
	{"vtt", "text/vtt"}, {"yaml", "text/yaml"}, {"yml", "text/yaml"},
	{"js", "text/javascript"}, {"mjs", "text/javascript"}, {"json", "application/json"}, {"map", "application/json"},
	{"jsonld", "application/ld+json"}, {"geojson", "application/geo+json"}, {"webmanifest", "application/manifest+json"},
	{"xhtml", "application/xhtml+xml"}, {"xht", "application/xhtml+xml"}, {"xml", "application/xml"}, {"xsl", "application/xml"},
	{"xsd", "application/xml"}, {"rng", "application/xml"}, {"xslt", "application/xslt+xml"}, {"rdf", "application/rdf+xml"},
	{"owl", "application/rdf+xml"}, {"mathml", "application/mathml+xml"}, {"atom", "application/atom+xml"},
	{"rss", "application/rss+xml"}, {"gpx", "application/gpx+xml"}, {"kml", "application/vnd.google-earth.kml+xml"},
	{"jpg", "image/jpeg"}, {"jpeg", "image/jpeg"}, {"jpe", "image/jpeg"}, {"png", "image/png"}, {"gif", "image/gif"},
	{"webp", "image/webp"}, {"avif", "image/avif"}, {"bmp", "image/bmp"}, {"ico", "image/vnd.microsoft.icon"}, {"heic", "image/heic"},
	{"heif", "image/heif"}, {"tif", "image/tiff"}, {"tiff", "image/tiff"}, {"jxl", "image/jxl"}, {"apng", "image/apng"},
	{"svg", "image/svg+xml"}, {"svgz", "image/svg+xml"}, {"psd", "image/vnd.adobe.photoshop"},
	{"mpga", "audio/mpeg"}, {"mp3", "audio/mpeg"}, {"m4a", "audio/mp4"}, {"adts", "audio/aac"}, {"aac", "audio/aac"}, {"wav", "audio/wav"}, {"oga", "audio/ogg"},
	{"ogg", "audio/ogg"}, {"opus", "audio/ogg"}, {"flac", "audio/x-flac"}, {"weba", "audio/webm"}, {"mid", "audio/midi"},
	{"midi", "audio/midi"}, {"aif", "audio/x-aiff"}, {"aiff", "audio/x-aiff"}, {"amr", "audio/amr"}, {"caf", "audio/x-caf"},
	{"mp4", "video/mp4"}, {"m4v", "video/x-m4v"}, {"qt", "video/quicktime"}, {"mov", "video/quicktime"},
	{"webm", "video/webm"}, {"ogv", "video/ogg"}, {"mpeg", "video/mpeg"}, {"mpg", "video/mpeg"}, {"avi", "video/x-msvideo"},
	{"mkv", "video/x-matroska"}, {"wmv", "video/x-ms-wmv"}, {"flv", "video/x-flv"}, {"3gp", "video/3gpp"},
	{"ts", "video/mp2t"}, {"m3u8", "application/vnd.apple.mpegurl"}, {"mpd", "application/dash+xml"},
	{"pdf", "application/pdf"}, {"rtf", "application/rtf"}, {"ai", "application/postscript"}, {"ps", "application/postscript"}, {"eps", "application/postscript"},
	{"doc", "application/msword"}, {"xls", "application/vnd.ms-excel"}, {"ppt", "application/vnd.ms-powerpoint"},
	{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	{"odt", "application/vnd.oasis.opendocument.text"}, {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
	{"odp", "application/vnd.oasis.opendocument.presentation"}, {"epub", "application/epub+zip"},
	{"zip", "application/zip"}, {"gz", "application/gzip"}, {"tar", "application/x-tar"}, {"bz2", "application/x-bzip2"},
	{"7z", "application/x-7z-compressed"}, {"rar", "application/vnd.rar"}, {"xz", "application/x-xz"},
	{"jar", "application/java-archive"}, {"apk", "application/vnd.android.package-archive"},
	{"wasm", "application/wasm"}, {"woff", "font/woff"}, {"woff2", "font/woff2"}, {"ttf", "font/ttf"}, {"otf", "font/otf"},
	{"glb", "model/gltf-binary"}, {"gltf", "model/gltf+json"}, {"stl", "model/stl"},
	{"usdz", "model/vnd.usdz+zip"}, {"obj", "model/obj"}, {"p12", "application/x-pkcs12"}, {"der", "application/x-x509-ca-cert"}, {"pem", "application/x-x509-ca-cert"},
	{"pkpass", "application/vnd.apple.pkpass"}, {"bin", "application/octet-stream"}, {"dmg", "application/octet-stream"}, {"exe", "application/octet-stream"},
}

var typeByExtension, extensionByType = func() (byExtension, byType map[string]string) {
	byExtension, byType = map[string]string{}, map[string]string{}
	for _, c := range contentTypes {
		byExtension[c.extension] = c.typ
		if _, ok := byType[c.typ]; !ok {
			byType[c.typ] = c.extension
		}
	}
	// Other names of types, under which no extension is found.
	byType["text/xml"], byType["text/rtf"], byType["image/x-icon"], byType["application/xslt+xml"] = "xml", "rtf", "ico", "xsl"
	byType["application/x-apple-diskimage"] = "dmg"
	return byExtension, byType
}()

// ContentType is the media type of a file by its name's extension; "" when the extension is unknown.
func ContentType(name string) string {
	return typeByExtension[strings.ToLower(Extension(name))]
}

// ServedType is what a download says of its content: the media type by the name, never what the uploader claimed, nor
// what the content looks like.
func ServedType(name string) string {
	switch typ := ContentType(name); {
	case typ == "":
		return "application/octet-stream"
	case strings.HasPrefix(typ, "text/"), typ == "application/json", typ == "application/manifest+json":
		return typ + "; charset=utf-8"
	default:
		return typ
	}
}

// extensionOf is the extension made from a content type; "" when the type is unknown.
func extensionOf(contentType string) string {
	typ, _, _ := strings.Cut(contentType, ";")
	return extensionByType[strings.ToLower(strings.TrimSpace(typ))]
}
