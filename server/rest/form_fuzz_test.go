package rest

import (
	"bytes"
	"net/http/httptest"
	"testing"
)

// FuzzReadForm has forms hold anything: what is read is texts and files that aren't longer than what came.
func FuzzReadForm(f *testing.F) {
	for _, s := range []string{"", "--b--", "--b\r\n\r\n--b--", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--\r\n",
		"--b\nContent-Disposition: form-data; name=a; filename*=UTF-8''%C3%A9\nContent-Type: a/b; charset=utf16le\n\nx\n--b--\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(data))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		form, err := readForm(r, 1<<20)
		if err != nil {
			return
		}
		for name, v := range form {
			switch v := v.(type) {
			case string:
				if len(v) > 3*len(data) {
					t.Errorf("%q is %d bytes", name, len(v))
				}
			case map[string]any:
				if content, ok := v["data"].([]byte); !ok || len(content) > len(data) {
					t.Errorf("%q is %v", name, v)
				}
			default:
				t.Errorf("%q is %v", name, v)
			}
		}
	})
}
