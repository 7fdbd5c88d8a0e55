package registry

import (
	"regexp"
	"testing"

	v2 "github.com/distribution/distribution/v3/registry/api/v2"
)

// TestParseTarget has names made of the words of the API. Distribution's router finds the same.
func TestParseTarget(t *testing.T) {
	const d = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, tt := range []struct {
		path  string
		want  target
		route string
	}{
		{"/v2/", target{}, v2.RouteNameBase},
		{"/v2/_catalog", target{kind: catalogEndpoint}, v2.RouteNameCatalog},
		{"/v2/a/b/tags/list", target{tagsEndpoint, "a/b", ""}, v2.RouteNameTags},
		{"/v2/manifests/tags/list", target{tagsEndpoint, "manifests", ""}, v2.RouteNameTags},
		{"/v2/a/manifests/latest", target{manifestEndpoint, "a", "latest"}, v2.RouteNameManifest},
		{"/v2/manifests/manifests/manifests", target{manifestEndpoint, "manifests", "manifests"}, v2.RouteNameManifest},
		{"/v2/a/blobs/uploads/manifests/latest", target{manifestEndpoint, "a/blobs/uploads", "latest"}, v2.RouteNameManifest},
		{"/v2/a/manifests/blobs/" + d, target{blobEndpoint, "a/manifests", d}, v2.RouteNameBlob},
		{"/v2/blobs/uploads/blobs/" + d, target{blobEndpoint, "blobs/uploads", d}, v2.RouteNameBlob},
		{"/v2/a/blobs/uploads/", target{uploadEndpoint, "a", ""}, v2.RouteNameBlobUpload},
		{"/v2/blobs/uploads/blobs/uploads/id", target{uploadEndpoint, "blobs/uploads", "id"}, v2.RouteNameBlobUploadChunk},
		{"/v2/a/manifests/b/c", target{}, ""},
		{"/v2/tags/list", target{}, ""},
	} {
		got, ok := parseTarget("", tt.path)
		if !ok || got != tt.want {
			t.Errorf("%s: %+v, %v, want %+v", tt.path, got, ok, tt.want)
		}
		if got, ok = parseTarget("/prefix/", "/prefix"+tt.path); !ok || got != tt.want {
			t.Errorf("%s below a prefix: %+v, %v", tt.path, got, ok)
		}
		if route, name := routeOf(t, tt.path); route != tt.route || name != tt.want.name {
			t.Errorf("%s: distribution has route %q of %q", tt.path, route, name)
		}
	}
	for _, path := range []string{"/", "/v2", "/v1/a", "/other/v2/a/tags/list"} {
		if got, ok := parseTarget("", path); ok {
			t.Errorf("%s is %+v", path, got)
		}
	}
}

// routeOf is the first of distribution's routes that a path has, and the repository's name.
func routeOf(t *testing.T, path string) (route, name string) {
	t.Helper()
	for _, route := range []string{
		v2.RouteNameBase, v2.RouteNameTags, v2.RouteNameManifest, v2.RouteNameBlob,
		v2.RouteNameBlobUpload, v2.RouteNameBlobUploadChunk, v2.RouteNameCatalog,
	} {
		pattern, err := v2.Router().GetRoute(route).GetPathRegexp()
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(pattern).FindStringSubmatch(path); len(m) > 1 {
			return route, m[1]
		} else if m != nil {
			return route, ""
		}
	}
	return "", ""
}
