package registry

import (
	"net/http"
	"slices"

	"github.com/distribution/distribution/v3/configuration"
)

// Mend is what tests know of a mend.
type Mend struct {
	Name, Fault, Upstream string
	Elsewhere             bool // Handler does not apply it
}

// Mends are all there are.
func Mends() (all []Mend) {
	for _, m := range mends {
		all = append(all, Mend{m.name, m.fault, m.upstream, m.apply == nil})
	}
	return all
}

// HandlerWithout is Handler without a mend.
func HandlerWithout(name string, config *configuration.Configuration, next http.Handler) http.Handler {
	return mended(config, next, slices.DeleteFunc(slices.Clone(mends), func(m mend) bool { return m.name == name }))
}
