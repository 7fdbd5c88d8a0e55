package registry

import (
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// target is what the path of a request names, as the routes of the API have it.
type target struct {
	kind endpoint
	name string // of the repository, well formed or not
	ref  string // a tag, a digest or an upload's id
}

// endpoint is a route of the API.
type endpoint int

const (
	otherEndpoint endpoint = iota // none that distribution has
	catalogEndpoint
	tagsEndpoint
	manifestEndpoint
	blobEndpoint
	uploadEndpoint
	referrersEndpoint // which is ours alone, as is the next
	signaturesEndpoint
)

// parseTarget reads a path below the configured prefix. ok is false outside of the API.
func parseTarget(prefix, path string) (t target, ok bool) {
	path, ok = strings.CutPrefix(path, strings.TrimRight(prefix, "/")+"/v2/")
	if !ok {
		return target{}, false
	}
	if path == "_catalog" {
		return target{kind: catalogEndpoint}, true
	}
	if name, ok := strings.CutSuffix(path, "/tags/list"); ok {
		return target{kind: tagsEndpoint, name: name}, true
	}
	for _, route := range []struct {
		kind      endpoint
		separator string
	}{{uploadEndpoint, "/blobs/uploads/"}, {blobEndpoint, "/blobs/"}, {manifestEndpoint, "/manifests/"}, {referrersEndpoint, "/referrers/"}} {
		i := strings.LastIndex(path, route.separator)
		if i < 0 || strings.Contains(path[i+len(route.separator):], "/") {
			continue
		}
		return target{kind: route.kind, name: path[:i], ref: path[i+len(route.separator):]}, true
	}
	return target{}, true
}

// nameRegexp is the grammar of names.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
var nameRegexp = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

func validName(name string) bool {
	return len(name) <= reference.RepositoryNameTotalLengthMax && nameRegexp.MatchString(name)
}
