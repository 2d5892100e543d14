package inspect

import (
	"net/http"
	"path"
	"strings"

	"github.com/parsescale/parsescale/policies/request"
)

// Below returns what follows the mount in an escaped path. The mount is matched as Express does, without regard to case.
func Below(path, mount string) (string, bool) {
	if len(path) < len(mount) || !strings.EqualFold(path[:len(mount)], mount) {
		return "", false
	}
	rest := path[len(mount):]
	if rest == "" {
		return "/", true
	}
	return rest, rest[0] == '/'
}

// MeansBelow reports whether a path that isn't below the mount as it is written would be once it is decoded and cleaned,
// as Caddy's matchers do. Neither parse-server nor a worker takes it for the API; passed on, it may be answered with an
// empty 200, which looks like a write that was done.
func MeansBelow(decoded, mount string) bool {
	_, below := Below(path.Clean("/"+decoded), mount)
	return below
}

// Mount returns the mount that a path matcher such as /parse/* stands for, "" for any other text.
func Mount(path string) string {
	if !strings.HasPrefix(path, "/") {
		return ""
	}
	path = strings.TrimSuffix(strings.TrimSuffix(path, "*"), "/")
	if strings.ContainsAny(path, "*?") {
		return ""
	}
	return path
}

// IsBatch reports whether a path below the mount is that of batches, whose bodies hold requests, which all count.
func IsBatch(rest string) bool {
	return strings.EqualFold(strings.TrimSuffix(rest, "/"), "/batch")
}

// IsUpload reports whether the body is a file, or a form that may hold one.
func IsUpload(r *http.Request, rest string) bool {
	// The SDKs' JSON form of an upload is sent to the same path; it is a write whatever it says, so there is nothing
	// to inspect in it.
	return isFile(rest) || strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "multipart/")
}

func isFile(rest string) bool {
	const files = "/files/"
	return len(rest) > len(files) && strings.EqualFold(rest[:len(files)], files)
}

// AppID is the application id by which a worker is to be found. Downloads have it in their path, and that counts.
func AppID(req *request.Request, rest string) string {
	if req.Op == request.FileRead && isFile(rest) {
		if id, _, more := strings.Cut(rest[len("/files/"):], "/"); more {
			return id
		}
	}
	return req.AppID
}
