package redirect_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/blobdock/blobdock/redirect"
)

// FuzzClient reads the headers that say who a request comes from. They may be made up.
func FuzzClient(f *testing.F) {
	f.Add("192.0.2.7, 10.0.0.1", "", "127.0.0.1:80")
	f.Add("[2001:db8::1]:443", "::ffff:10.0.0.1", "@")
	f.Add("fe80::1%eth0", "x", "")
	policy := redirect.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	f.Fuzz(func(t *testing.T, forwarded, realIP, remote string) {
		r := &http.Request{Method: http.MethodGet, RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}, "X-Real-Ip": {realIP}}}
		a := redirect.Client(r)
		if a.Is4In6() || a.Zone() != "" {
			t.Errorf("%q, %q, %q: %v", forwarded, realIP, remote, a)
		}
		if inside := a.IsValid() && policy.Networks[0].Contains(a); inside != (a.IsValid() && a.Is4() && a.As4()[0] == 10) {
			t.Errorf("%v is inside: %v", a, inside)
		}
	})
}
