package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/manifest/manifestlist"
	_ "github.com/distribution/distribution/v3/registry/auth/silly"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sirupsen/logrus"

	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/registry"
)

// mendTest shows that a fault is mended.
type mendTest struct {
	config func(*configuration.Configuration) // may be nil
	// check is the first thing that is not as it should be.
	check func(*mendClient) error
	// stock takes away what Handler does not do; may be nil where it does all.
	stock func(*testing.T, *configuration.Configuration)
}

// mendTests are by the name of the mend.
var mendTests = map[string]mendTest{
	"preflight": {
		config: func(c *configuration.Configuration) {
			c.Auth = configuration.Auth{"silly": {"realm": "test", "service": "test"}}
			c.HTTP.Headers = http.Header{"Access-Control-Allow-Origin": {"https://ui.example.com"}}
		},
		check: func(c *mendClient) error {
			origin := map[string]string{"Origin": "https://ui.example.com"}
			if err := c.want("GET", "/v2/a/tags/list", origin, nil, 401, "UNAUTHORIZED"); err != nil {
				return err
			}
			origin["Access-Control-Request-Method"] = "GET"
			return c.want("OPTIONS", "/v2/a/tags/list", origin, nil, 204, "", "Access-Control-Allow-Origin", "https://ui.example.com")
		},
	},
	"forwarded-proto": {check: func(c *mendClient) error {
		header := map[string]string{"X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "registry.example.com, 10.0.0.1"}
		resp, _ := c.do("POST", "/v2/a/blobs/uploads/", header, nil)
		if at := resp.Header.Get("Location"); !strings.HasPrefix(at, "https://registry.example.com/v2/a/blobs/uploads/") {
			return fmt.Errorf("%s, Location %s", resp.Status, at)
		}
		return nil
	}},
	"name-invalid": {
		config: func(c *configuration.Configuration) { c.HTTP.Prefix = "/registry/" },
		check: func(c *mendClient) error {
			if err := c.want("POST", "/registry/v2/"+strings.Repeat("a", 255)+"/blobs/uploads/", nil, nil, 202, ""); err != nil {
				return err
			}
			for _, name := range []string{strings.Repeat("a", 256), "localhost:5000/app", "registry.example.com:443/team/app", "Example.com/app", "App", "a..b", "a_", "_uploads"} {
				for _, tt := range []struct{ method, path string }{
					{"GET", "/manifests/latest"}, {"HEAD", "/manifests/latest"}, {"PUT", "/manifests/latest"},
					{"GET", "/blobs/" + digest.FromString("").String()}, {"POST", "/blobs/uploads/"}, {"GET", "/tags/list"},
				} {
					if err := c.want(tt.method, "/registry/v2/"+name+tt.path, nil, nil, 400, "NAME_INVALID"); err != nil {
						return err
					}
				}
			}
			return nil
		},
	},
	"tag-invalid": {check: func(c *mendClient) error {
		if err := c.want("GET", "/v2/a/manifests/"+strings.Repeat("t", 128), nil, nil, 404, "MANIFEST_UNKNOWN"); err != nil {
			return err
		}
		for _, tag := range []string{strings.Repeat("t", 129), "-t", ".t", "t%20"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
				if err := c.want(method, "/v2/a/manifests/"+tag, nil, nil, 400, "TAG_INVALID"); err != nil {
					return err
				}
			}
		}
		return nil
	}},
	"json-errors": {check: func(c *mendClient) error {
		for _, tt := range []struct {
			method, path string
			status       int
			code         string
		}{
			{"GET", "/v2/a/manifests/sha256:", 400, "DIGEST_INVALID"},
			{"GET", "/v2/a/manifests/sha256:xyz", 400, "DIGEST_INVALID"}, // by distribution
			{"GET", "/v2/a/blobs/sha256:", 400, "DIGEST_INVALID"},
			{"HEAD", "/v2/a/blobs/latest", 400, "DIGEST_INVALID"},
			{"PATCH", "/v2/a/blobs/uploads/a%20b", 404, "BLOB_UPLOAD_UNKNOWN"},
			{"GET", "/v2/a/unknown/v1", 404, "UNSUPPORTED"},
			{"GET", "/v2/a", 404, "UNSUPPORTED"},
			{"DELETE", "/v2/a/tags/list", 405, "UNSUPPORTED"},
			{"POST", "/v2/a/manifests/latest", 405, "UNSUPPORTED"},
		} {
			if err := c.want(tt.method, tt.path, nil, nil, tt.status, tt.code); err != nil {
				return err
			}
		}
		return nil
	}},
	"catalog-n": {
		config: func(c *configuration.Configuration) { c.Catalog.MaxEntries = 2 },
		check: func(c *mendClient) error {
			for _, repo := range []string{"a", "b", "c"} {
				c.pushManifest(repo, "latest", v1.MediaTypeImageManifest, c.image(repo))
			}
			for _, n := range []string{"3", "1000", "99999999999999999999"} {
				resp, body := c.do("GET", "/v2/_catalog?n="+n, nil, nil)
				if link := resp.Header.Get("Link"); strings.TrimSpace(body) != `{"repositories":["a","b"]}` || link != `</v2/_catalog?last=b&n=2>; rel="next"` {
					return fmt.Errorf("n=%s: %s %s, Link %s", n, resp.Status, body, link)
				}
			}
			for _, n := range []string{"-1", "many"} {
				if err := c.want("GET", "/v2/_catalog?n="+n, nil, nil, 400, "PAGINATION_NUMBER_INVALID"); err != nil {
					return err
				}
			}
			return nil
		},
	},
	"manifest-accept": {check: func(c *mendClient) error {
		image := c.image("a")
		imageDigest := c.pushManifest("a", "image", v1.MediaTypeImageManifest, image)
		of := func(mediaType, kind string) []byte {
			return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d,"platform":{"architecture":"amd64","os":"linux"}}]}`,
				mediaType, kind, imageDigest, len(image))
		}
		for _, tt := range []struct {
			tag, mediaType string
			content        []byte
		}{
			{"image", v1.MediaTypeImageManifest, image},
			{"index", v1.MediaTypeImageIndex, of(v1.MediaTypeImageIndex, v1.MediaTypeImageManifest)},
			{"list", manifestlist.MediaTypeManifestList, of(manifestlist.MediaTypeManifestList, v1.MediaTypeImageManifest)},
		} {
			d := c.pushManifest("a", tt.tag, tt.mediaType, tt.content)
			for _, accept := range []string{"", "*/*", "text/html, application/*;q=0.5", "text/html, */*;q=0.1"} {
				for _, ref := range []string{tt.tag, d.String()} {
					header := map[string]string{}
					if accept != "" {
						header["Accept"] = accept
					}
					resp, body := c.do("GET", "/v2/a/manifests/"+ref, header, nil)
					if body != string(tt.content) {
						return fmt.Errorf("GET %s, Accept %q: %s %s", ref, accept, resp.Status, body)
					}
					if err := c.want("HEAD", "/v2/a/manifests/"+ref, header, nil, 200, "", "Content-Type", tt.mediaType, "Docker-Content-Digest", d.String()); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}, stock: withoutMiddleware},
	"manifest-conditions": {check: func(c *mendClient) error {
		d := c.pushManifest("a", "latest", v1.MediaTypeImageManifest, c.image("a"))
		tag := `"` + d.String() + `"`
		for _, ref := range []string{"latest", d.String()} {
			for _, method := range []string{"GET", "HEAD"} {
				for condition, status := range map[string]int{
					tag: 304, d.String(): 304, "W/" + tag: 304, `"other", ` + tag: 304, `W/"other",W/` + tag + `,`: 304, "*": 304,
					`"other"`: 200, `"other", "another"`: 200, "W/\"other\"": 200,
				} {
					header := map[string]string{"If-None-Match": condition, "Accept": v1.MediaTypeImageManifest}
					resp, body := c.do(method, "/v2/a/manifests/"+ref, header, nil)
					if resp.StatusCode != status || resp.Header.Get("ETag") != tag || (body != "") != (status == 200 && method == "GET") {
						return fmt.Errorf("%s %s with %s: %s, ETag %s, %d bytes", method, ref, condition, resp.Status, resp.Header.Get("ETag"), len(body))
					}
				}
			}
		}
		return c.want("GET", "/v2/a/manifests/other", map[string]string{"If-None-Match": "*"}, nil, 404, "MANIFEST_UNKNOWN")
	}, stock: withoutMiddleware},
	"manifest-too-large": {check: func(c *mendClient) error {
		pad := func(size int) []byte {
			image := c.image("a")
			image = append(image[:len(image)-1], `,"annotations":{"a":"`...)
			return append(append(image, bytes.Repeat([]byte("a"), size-len(image)-3)...), `"}}`...)
		}
		header := map[string]string{"Content-Type": v1.MediaTypeImageManifest}
		if err := c.want("PUT", "/v2/a/manifests/latest", header, bytes.NewReader(pad(4<<20)), 201, ""); err != nil {
			return err
		}
		if err := c.want("PUT", "/v2/a/manifests/latest", header, strings.NewReader("{"), 400, "MANIFEST_INVALID"); err != nil {
			return err
		}
		for _, body := range []io.Reader{bytes.NewReader(pad(4<<20 + 1)), chunked(pad(4<<20 + 1))} {
			if err := c.want("PUT", "/v2/a/manifests/latest", header, body, 413, "MANIFEST_INVALID"); err != nil {
				return err
			}
		}
		return nil
	}},
	"upload-content-type": {check: func(c *mendClient) error {
		for _, kind := range []string{"application/x-www-form-urlencoded", v1.MediaTypeImageLayerGzip, "multipart/form-data; boundary=b", "no type"} {
			header, p := map[string]string{"Content-Type": kind}, []byte("a=b&digest=c&_state=d "+kind)
			resp, body := c.do("PATCH", c.begin("a"), header, bytes.NewReader(p[:5]))
			if resp.StatusCode != 202 {
				return fmt.Errorf("PATCH of %s: %s %s", kind, resp.Status, body)
			}
			d := digest.FromBytes(p)
			if err := c.want("PUT", withDigest(resp.Header.Get("Location"), d), header, bytes.NewReader(p[5:]), 201, ""); err != nil {
				return err
			}
			if _, got := c.do("GET", "/v2/a/blobs/"+d.String(), nil, nil); got != string(p) {
				return fmt.Errorf("%s: got %q, want %q", kind, got, p)
			}
		}
		return nil
	}},
	"content-range": {check: func(c *mendClient) error {
		p := content(100)
		for _, malformed := range []string{"abc", "0", "0-", "-99", "99-0", "bytes */100", "0-99999999999999999999", "items 0-99/100"} {
			for _, method := range []string{"PATCH", "PUT"} {
				if err := c.want(method, withDigest(c.begin("a"), digest.FromBytes(p)), map[string]string{"Content-Range": malformed}, bytes.NewReader(p), 416, "RANGE_INVALID"); err != nil {
					return err
				}
			}
		}
		for _, good := range []string{"0-99", "bytes 0-99/100", "bytes 0-99/*"} {
			if err := c.want("PATCH", c.begin("a"), map[string]string{"Content-Range": good}, bytes.NewReader(p), 202, "", "Range", "0-99"); err != nil {
				return err
			}
		}
		return nil
	}},
	"content-range-chunked": {check: func(c *mendClient) error {
		p := content(200)
		for _, method := range []string{"PATCH", "PUT"} {
			for _, tt := range []struct {
				contentRange string
				body         []byte
				status       int
				code         string
			}{
				{"0-99", p[100:], 416, "RANGE_INVALID"},
				{"150-249", p[100:], 416, "RANGE_INVALID"},
				{"100-299", p[100:], 400, "SIZE_INVALID"},
				{"100-149", p[100:], 400, "SIZE_INVALID"},
				{"100-199", p[100:], map[string]int{"PATCH": 202, "PUT": 201}[method], ""},
			} {
				at := c.patch(c.begin("a"), p[:100])
				if err := c.want(method, withDigest(at, digest.FromBytes(p)), map[string]string{"Content-Range": tt.contentRange}, chunked(tt.body), tt.status, tt.code); err != nil {
					return err
				}
			}
		}
		return nil
	}},
	"range-offset": {check: func(c *mendClient) error {
		p := content(300)
		for _, contentRange := range []string{"200-299", "0-199", "abc"} {
			for _, stale := range []bool{false, true} {
				at := c.begin("a")
				if next := c.patch(at, p[:100]); !stale {
					at = next
				}
				resp, body := c.do("PATCH", at, map[string]string{"Content-Range": contentRange}, bytes.NewReader(p[100:]))
				next := resp.Header.Get("Location")
				if stale && contentRange == "0-199" { // that id is at 0
					if resp.StatusCode != 202 {
						return fmt.Errorf("PATCH of an id once more: %s: %s", resp.Status, body)
					}
					continue
				}
				if resp.StatusCode != 416 || resp.Header.Get("Range") != "0-99" || next == "" || !strings.Contains(body, "RANGE_INVALID") {
					return fmt.Errorf("%s: %s, Range %q, Location %q: %s", contentRange, resp.Status, resp.Header.Get("Range"), next, body)
				}
				if err := c.want("PUT", withDigest(next, digest.FromBytes(p)), map[string]string{"Content-Range": "100-299"}, bytes.NewReader(p[100:]), 201, ""); err != nil {
					return err
				}
			}
		}
		return nil
	}},
	"relative-prefix": {
		config: func(c *configuration.Configuration) { c.HTTP.Prefix, c.HTTP.RelativeURLs = "/registry/", true },
		check: func(c *mendClient) error {
			resp, body := c.do("POST", "/registry/v2/a/blobs/uploads/", nil, nil)
			at := resp.Header.Get("Location")
			if !strings.HasPrefix(at, "/registry/v2/a/blobs/uploads/") {
				return fmt.Errorf("POST: %s, Location %s: %s", resp.Status, at, body)
			}
			d := digest.FromString("x")
			return c.want("PUT", withDigest(at, d), nil, strings.NewReader("x"), 201, "", "Location", "/registry/v2/a/blobs/"+d.String())
		},
	},
	"upload-id": {check: func(c *mendClient) error {
		resp, body := c.do("PATCH", c.begin("a"), nil, strings.NewReader("x"))
		if id := resp.Header.Get("Docker-Upload-UUID"); id == "" || !strings.Contains(resp.Header.Get("Location"), "/uploads/"+id+"?") {
			return fmt.Errorf("%s: id %q, Location %s: %s", resp.Status, id, resp.Header.Get("Location"), body)
		}
		return nil
	}},
	"blob-ranges": {
		check: func(c *mendClient) error {
			d := digest.FromString("0123456789")
			if err := c.want("PUT", withDigest(c.begin("a"), d), nil, strings.NewReader("0123456789"), 201, ""); err != nil {
				return err
			}
			for given, status := range map[string]int{"items=0-1": 200, "bytes=abc": 200, "bytes=5-1": 200, "bytes=-0": 416, "bytes=10-": 416, "bytes=0-1": 206, "bytes=0-1,5-6": 206} {
				for _, method := range []string{"GET", "HEAD"} {
					if err := c.want(method, "/v2/a/blobs/"+d.String(), map[string]string{"Range": given}, nil, status, ""); err != nil {
						return fmt.Errorf("%s: %w", given, err)
					}
				}
			}
			for given, status := range map[string]int{`W/"` + d.String() + `"`: 304, `"other", "` + d.String() + `"`: 304, "*": 304, `"other"`: 200} {
				if err := c.want("GET", "/v2/a/blobs/"+d.String(), map[string]string{"If-None-Match": given}, nil, status, "", "ETag", `"`+d.String()+`"`); err != nil {
					return fmt.Errorf("%s: %w", given, err)
				}
			}
			return nil
		},
		stock: withoutMiddleware,
	},
	"unknown-log": {
		check: func(c *mendClient) error {
			entries := logged(c.t)
			at := "/v2/a/blobs/" + digest.FromString("unknown to all").String()
			signatures := "/v2/a/manifests/sha256-" + digest.FromString("unsigned").Encoded()
			for _, tt := range []struct {
				method, path string
				level        logrus.Level
			}{
				{"HEAD", at, logrus.InfoLevel},
				{"GET", at, logrus.ErrorLevel},
				{"HEAD", "/v2/a/manifests/unknown", logrus.InfoLevel},
				{"GET", "/v2/a/manifests/unknown", logrus.ErrorLevel},
				{"GET", signatures, logrus.InfoLevel},
				{"GET", signatures + ".sig", logrus.InfoLevel},
				{"GET", signatures + "0", logrus.ErrorLevel},
			} {
				c.do(tt.method, tt.path, nil, nil)
				if got := entries(); len(got) != 1 || got[0].Level != tt.level {
					return fmt.Errorf("%s %s logs %d entries, want one of level %s", tt.method, tt.path, len(got), tt.level)
				}
			}
			logrus.SetLevel(logrus.WarnLevel)
			defer logrus.SetLevel(logrus.InfoLevel)
			c.do("HEAD", at, nil, nil)
			if got := entries(); len(got) != 1 || got[0].Logger == logrus.StandardLogger() {
				return fmt.Errorf("HEAD is logged, with warnings")
			}
			return nil
		},
		stock: func(t *testing.T, _ *configuration.Configuration) {
			old := logrus.StandardLogger().ReplaceHooks(logrus.LevelHooks{})
			t.Cleanup(func() { logrus.StandardLogger().ReplaceHooks(old) })
		},
	},
}

// withoutMiddleware has distribution's own services.
func withoutMiddleware(_ *testing.T, c *configuration.Configuration) { c.Middleware = nil }

// logged returns what was logged as an error since it was called last, as it would be
// written.
func logged(t *testing.T) func() []*logrus.Entry {
	h := &recorder{}
	old := logrus.StandardLogger().ReplaceHooks(logrus.LevelHooks{})
	hooks := logrus.LevelHooks{}
	for level, all := range old {
		hooks[level] = slices.Clone(all)
	}
	hooks.Add(h)
	logrus.StandardLogger().ReplaceHooks(hooks)
	t.Cleanup(func() { logrus.StandardLogger().ReplaceHooks(old) })
	return func() []*logrus.Entry {
		defer func() { h.entries = nil }()
		return h.entries
	}
}

type recorder struct{ entries []*logrus.Entry }

func (h *recorder) Levels() []logrus.Level { return []logrus.Level{logrus.ErrorLevel} }

func (h *recorder) Fire(e *logrus.Entry) error {
	h.entries = append(h.entries, &logrus.Entry{Logger: e.Logger, Level: e.Level, Message: e.Message, Data: e.Data})
	return nil
}

// chunked is a body without a length.
func chunked(p []byte) io.Reader { return io.MultiReader(bytes.NewReader(p)) }

// mendClient is a client of one registry.
type mendClient struct {
	t   *testing.T
	url string
}

// do sends a request to a path, or to a URL that the registry has told.
func (c *mendClient) do(method, at string, header map[string]string, body io.Reader) (*http.Response, string) {
	c.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = c.url + at
	}
	return do(c.t, method, at, header, body)
}

// want sends a request and compares status, the code of the error, and headers.
func (c *mendClient) want(method, at string, header map[string]string, body io.Reader, status int, code string, headers ...string) error {
	c.t.Helper()
	resp, got := c.do(method, at, header, body)
	if u, err := url.Parse(at); err == nil {
		at = u.Path
	}
	if resp.StatusCode != status {
		return fmt.Errorf("%s %.100s %v: %s %.200s, want %d", method, at, header, resp.Status, got, status)
	}
	if code != "" && method != http.MethodHead {
		var e struct{ Errors []struct{ Code string } }
		if err := json.Unmarshal([]byte(got), &e); err != nil || len(e.Errors) != 1 || e.Errors[0].Code != code {
			return fmt.Errorf("%s %.100s %v: %s %.200s, want %s", method, at, header, resp.Status, got, code)
		}
	}
	if kind := resp.Header.Get("Content-Type"); code != "" && kind != "application/json" {
		return fmt.Errorf("%s %.100s: Content-Type %q", method, at, kind)
	}
	for i := 0; i < len(headers); i += 2 {
		if v := resp.Header.Get(headers[i]); v != headers[i+1] {
			return fmt.Errorf("%s %.100s %v: %s %q, want %q", method, at, header, headers[i], v, headers[i+1])
		}
	}
	return nil
}

func (c *mendClient) begin(repo string) string {
	c.t.Helper()
	resp, body := c.do("POST", "/v2/"+repo+"/blobs/uploads/", nil, nil)
	if resp.StatusCode != http.StatusAccepted {
		c.t.Fatalf("POST: %s: %s", resp.Status, body)
	}
	return resp.Header.Get("Location")
}

func (c *mendClient) patch(at string, p []byte) string {
	c.t.Helper()
	resp, body := c.do("PATCH", at, nil, bytes.NewReader(p))
	if resp.StatusCode != http.StatusAccepted {
		c.t.Fatalf("PATCH: %s: %s", resp.Status, body)
	}
	return resp.Header.Get("Location")
}

// image is a manifest whose config is there.
func (c *mendClient) image(repo string) []byte {
	c.t.Helper()
	d := digest.FromString("{}")
	if resp, body := c.do("PUT", withDigest(c.begin(repo), d), nil, strings.NewReader("{}")); resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("PUT: %s: %s", resp.Status, body)
	}
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2},"layers":[]}`,
		v1.MediaTypeImageManifest, v1.MediaTypeImageConfig, d)
}

func (c *mendClient) pushManifest(repo, tag, mediaType string, p []byte) digest.Digest {
	c.t.Helper()
	resp, body := c.do("PUT", "/v2/"+repo+"/manifests/"+tag, map[string]string{"Content-Type": mediaType}, bytes.NewReader(p))
	if resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("PUT %s: %s: %s", tag, resp.Status, body)
	}
	return digest.FromBytes(p)
}

// TestMends has a test for each mend, which passes with it and fails without: distribution
// has the fault still.
func TestMends(t *testing.T) {
	named := make(map[string]bool)
	for _, m := range registry.Mends() {
		named[m.Name] = true
		tt, ok := mendTests[m.Name]
		if !ok {
			t.Errorf("%s has no test", m.Name)
			continue
		}
		if m.Elsewhere && tt.stock == nil {
			t.Errorf("%s: the test does not take the mend away", m.Name)
		}
		run := func(t *testing.T, stock bool) error {
			config := configurationOf(t, mem.New(), "")
			config.Catalog.MaxEntries = 1000
			if tt.config != nil {
				tt.config(config)
			}
			if stock && tt.stock != nil {
				tt.stock(t, config)
			}
			app := application(t, config)
			h := registry.Handler(config, app)
			if stock {
				h = registry.HandlerWithout(m.Name, config, app)
			}
			srv := httptest.NewServer(h)
			t.Cleanup(srv.Close)
			return tt.check(&mendClient{t, srv.URL})
		}
		t.Run(m.Name, func(t *testing.T) {
			if err := run(t, false); err != nil {
				t.Error(err)
			}
		})
		t.Run(m.Name+"/without", func(t *testing.T) {
			err := run(t, true)
			if err == nil {
				t.Error("distribution does not need the mend any more")
			}
			t.Log(err)
		})
	}
	for name := range mendTests {
		if !named[name] {
			t.Errorf("there is no mend %s", name)
		}
	}
}

// TestMendsAreDescribed holds docs/mends.md to the mends.
func TestMendsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("../docs/mends.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range registry.Mends() {
		link := "none known"
		if m.Upstream != "" {
			link = "<" + m.Upstream + ">"
		}
		if row := fmt.Sprintf("| `%s` | %s | %s |\n", m.Name, strings.ReplaceAll(m.Fault, "*", `\*`), link); !strings.Contains(string(text), row) {
			t.Errorf("docs/mends.md lacks the row\n%s", row)
		}
	}
}
