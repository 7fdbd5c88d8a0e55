package redirect

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/glob"
)

// Reason names why a request was answered the way it was.
type Reason string

const (
	Signed       Reason = "signed"        // sent to a signed URL; all others are streamed
	Off          Reason = "off"           // redirects are switched off
	Unsigned     Reason = "unsigned"      // the store signs no URLs
	NotGet       Reason = "not_get"       // a HEAD is answered here
	Small        Reason = "small"         // below MinSize
	Suffix       Reason = "suffix_range"  // the store knows no ranges that count from the end
	Ranges       Reason = "ranges"        // stores answer no more than one range
	Conditional  Reason = "conditional"   // the condition is on the registry's ETag, which the store's is not
	Inside       Reason = "inside"        // the client is in ExceptNetworks
	Outside      Reason = "outside"       // the client is in none of Networks
	UserAgent    Reason = "user_agent"    // the client is one of ExceptAgents
	Repository   Reason = "repository"    // the repository is one of ExceptRepositories
	SigningFails Reason = "signing_fails" // the blob is streamed all the same
	// Encoded is an object with a Content-Encoding, whose bytes the store (GCS), or the
	// client's HTTP library, may unpack: they would not have the digest.
	// https://cloud.google.com/storage/docs/transcoding
	Encoded Reason = "encoded"
)

// Reasons are all there are.
func Reasons() []Reason {
	return []Reason{Signed, Off, Unsigned, NotGet, Small, Suffix, Ranges, Conditional, Inside, Outside, UserAgent, Repository, SigningFails, Encoded}
}

// DefaultMinSize is what TCP delivers in its first round trip: a smaller blob is
// there sooner than the client has asked at another address.
// https://datatracker.ietf.org/doc/html/rfc6928
const DefaultMinSize = 14600

// Policy tells which pulls are redirected. The zero Policy redirects all.
type Policy struct {
	Off bool
	// MinSize in bytes: smaller blobs are streamed.
	MinSize int64
	// NoSuffix streams requests for the last bytes of a blob.
	NoSuffix bool
	// Networks are the clients that can reach the store; none is all.
	Networks []netip.Prefix
	// ExceptNetworks are clients to stream to, whatever Networks says.
	ExceptNetworks []netip.Prefix
	// ExceptAgents are clients to stream to: those whose User-Agent contains one
	// of these, in any case. Clients exist that follow no redirect, or send their
	// credentials along, which stores refuse.
	ExceptAgents []string
	// ExceptRepositories are streamed: patterns as of path.Match, in which "*" is
	// within one component of a name. "**" as the last component is all below:
	// "team/**", "team-*/**", or "**" for all there are.
	ExceptRepositories []string
}

// Check returns an Invalid error for a pattern that is none.
func (p Policy) Check() error {
	if p.MinSize < 0 {
		return fmt.Errorf("redirect_min_size %d: must not be negative: %w", p.MinSize, driver.Invalid)
	}
	for _, pattern := range p.ExceptRepositories {
		if !glob.Valid(pattern) {
			return fmt.Errorf("redirect_except_repositories %q: want a name such as team/app, team/* or team/**: %w", pattern, driver.Invalid)
		}
	}
	return nil
}

// Decide is Signed where the policy lets req for a blob of size bytes in the
// repository be redirected, else the reason against it.
func (p Policy) Decide(req *http.Request, repository string, size int64) Reason {
	switch {
	case p.Off:
		return Off
	case req.Method != http.MethodGet:
		return NotGet
	case size < p.MinSize:
		return Small
	case p.NoSuffix && suffix(req):
		return Suffix
	case slices.ContainsFunc(p.ExceptRepositories, func(pattern string) bool { return glob.Match(pattern, repository) }):
		return Repository
	case mentions(p.ExceptAgents, req.UserAgent()):
		return UserAgent
	}
	if reason, ok := Local(req); ok {
		return reason
	}
	if len(p.Networks) == 0 && len(p.ExceptNetworks) == 0 {
		return Signed
	}
	client := Client(req)
	switch {
	case within(p.ExceptNetworks, client):
		return Inside
	case len(p.Networks) > 0 && !within(p.Networks, client):
		return Outside
	}
	return Signed
}

// Local reports whether only the registry can answer a GET as it is asked, and why.
// S3 answers several ranges by the whole object.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func Local(req *http.Request) (Reason, bool) {
	for _, name := range []string{"If-Match", "If-None-Match", "If-Range"} {
		if req.Header.Get(name) != "" {
			return Conditional, true
		}
	}
	return Ranges, strings.Contains(req.Header.Get("Range"), ",")
}

// suffix tells whether a range counts from the end.
func suffix(req *http.Request) bool {
	_, ranges, _ := strings.Cut(req.Header.Get("Range"), "=")
	for r := range strings.SplitSeq(ranges, ",") {
		if strings.HasPrefix(strings.TrimSpace(r), "-") {
			return true
		}
	}
	return false
}

func mentions(agents []string, agent string) bool {
	agent = strings.ToLower(agent)
	for _, a := range agents {
		if a != "" && strings.Contains(agent, strings.ToLower(a)) {
			return true
		}
	}
	return false
}

func within(networks []netip.Prefix, client netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(client) {
			return true
		}
	}
	return false
}

// Client is the address that a request comes from: as distribution has it, the
// first one in X-Forwarded-For, else X-Real-Ip, else that of the connection. The
// headers can be made up, so it is no base for granting anything.
func Client(req *http.Request) netip.Addr {
	first, _, _ := strings.Cut(req.Header.Get("X-Forwarded-For"), ",")
	for _, s := range []string{first, req.Header.Get("X-Real-Ip")} {
		if a, ok := parseAddr(strings.TrimSpace(s)); ok {
			return a
		}
	}
	a, _ := parseAddr(req.RemoteAddr)
	return a
}

// parseAddr reads an address, with a port or without.
func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		var at netip.AddrPort
		at, err = netip.ParseAddrPort(s)
		a = at.Addr()
	}
	return a.Unmap().WithZone(""), err == nil
}

// ParseNetworks reads networks, or single addresses.
func ParseNetworks(name string, list []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, s := range list {
		n, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil {
			n, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || n.Addr().Is4In6() {
			return nil, fmt.Errorf("%s: %q is neither an address nor a network such as 10.0.0.0/8: %w", name, s, driver.Invalid)
		}
		networks = append(networks, n.Masked())
	}
	return networks, nil
}
