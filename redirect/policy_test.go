package redirect_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/redirect"
)

func TestDecide(t *testing.T) {
	networks := func(list ...string) redirect.Policy {
		n, err := redirect.ParseNetworks("redirect_networks", list)
		if err != nil {
			t.Fatal(err)
		}
		return redirect.Policy{Networks: n}
	}
	except := func(p redirect.Policy, list ...string) redirect.Policy {
		p.ExceptNetworks = networks(list...).Networks
		return p
	}
	request := func(method, from string, header ...string) *http.Request {
		r := httptest.NewRequest(method, "/v2/team/app/blobs/sha256:0", nil)
		r.RemoteAddr = from
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	const near, far = "10.1.2.3:4000", "198.51.100.7:4000"
	for _, tt := range []struct {
		name   string
		policy redirect.Policy
		req    *http.Request
		repo   string
		size   int64
		want   redirect.Reason
	}{
		{name: "by default", req: request("GET", far), want: redirect.Signed},
		{name: "off", policy: redirect.Policy{Off: true}, req: request("GET", far), want: redirect.Off},
		{name: "HEAD", req: request("HEAD", far), want: redirect.NotGet},
		{name: "small", policy: redirect.Policy{MinSize: 100}, req: request("GET", far), size: 99, want: redirect.Small},
		{name: "just large enough", policy: redirect.Policy{MinSize: 100}, req: request("GET", far), size: 100, want: redirect.Signed},
		{name: "suffix", policy: redirect.Policy{NoSuffix: true}, req: request("GET", far, "Range", "bytes=-7"), want: redirect.Suffix},
		{name: "suffix among others", policy: redirect.Policy{NoSuffix: true}, req: request("GET", far, "Range", "bytes=0-3, -7"), want: redirect.Suffix},
		{name: "another range", policy: redirect.Policy{NoSuffix: true}, req: request("GET", far, "Range", "bytes=7-"), want: redirect.Signed},
		{name: "suffix where it is known", req: request("GET", far, "Range", "bytes=-7"), want: redirect.Signed},
		{name: "several ranges", req: request("GET", far, "Range", "bytes=0-3, 7-9"), want: redirect.Ranges},
		{name: "If-None-Match", req: request("GET", far, "If-None-Match", `"sha256:0"`), want: redirect.Conditional},
		{name: "If-Match", req: request("GET", far, "If-Match", "*"), want: redirect.Conditional},
		{name: "If-Range", req: request("GET", far, "If-Range", `"sha256:0"`, "Range", "bytes=0-3"), want: redirect.Conditional},
		{name: "in a network", policy: networks("10.0.0.0/8"), req: request("GET", near), want: redirect.Signed},
		{name: "in no network", policy: networks("10.0.0.0/8", "2001:db8::/32"), req: request("GET", far), want: redirect.Outside},
		{name: "IPv6", policy: networks("2001:db8::/32"), req: request("GET", "[2001:db8::1]:80"), want: redirect.Signed},
		{name: "IPv4 in IPv6", policy: networks("10.0.0.0/8"), req: request("GET", "[::ffff:10.1.2.3]:80"), want: redirect.Signed},
		{name: "excepted network", policy: except(redirect.Policy{}, "10.1.2.3"), req: request("GET", near), want: redirect.Inside},
		{name: "exception goes first", policy: except(networks("10.0.0.0/8"), "10.1.0.0/16"), req: request("GET", near), want: redirect.Inside},
		{name: "behind a proxy", policy: networks("10.0.0.0/8"), req: request("GET", near, "X-Forwarded-For", "198.51.100.7, 10.1.2.3"), want: redirect.Outside},
		{name: "behind another", policy: networks("10.0.0.0/8"), req: request("GET", far, "X-Real-Ip", "10.1.2.3"), want: redirect.Signed},
		{name: "with a port", policy: networks("10.0.0.0/8"), req: request("GET", far, "X-Forwarded-For", "10.1.2.3:443"), want: redirect.Signed},
		{name: "with a zone", policy: networks("fe80::/10"), req: request("GET", "[fe80::1%eth0]:80"), want: redirect.Signed},
		{name: "no address", policy: networks("0.0.0.0/0"), req: request("GET", "@"), want: redirect.Outside},
		{name: "agent", policy: redirect.Policy{ExceptAgents: []string{"OldTool/"}}, req: request("GET", far, "User-Agent", "x oldtool/1.0"), want: redirect.UserAgent},
		{name: "other agent", policy: redirect.Policy{ExceptAgents: []string{"OldTool/", ""}}, req: request("GET", far, "User-Agent", "docker/27"), want: redirect.Signed},
		{name: "repository", policy: redirect.Policy{ExceptRepositories: []string{"team/app"}}, req: request("GET", far), repo: "team/app", want: redirect.Repository},
		{name: "repositories", policy: redirect.Policy{ExceptRepositories: []string{"team/*"}}, req: request("GET", far), repo: "team/app", want: redirect.Repository},
		{name: "one level only", policy: redirect.Policy{ExceptRepositories: []string{"team/*"}}, req: request("GET", far), repo: "team/app/web", want: redirect.Signed},
		{name: "all levels", policy: redirect.Policy{ExceptRepositories: []string{"team/**"}}, req: request("GET", far), repo: "team/app/web", want: redirect.Repository},
		{name: "a pattern above", policy: redirect.Policy{ExceptRepositories: []string{"team-*/**"}}, req: request("GET", far), repo: "team-a/app/x", want: redirect.Repository},
		{name: "a pattern above another", policy: redirect.Policy{ExceptRepositories: []string{"team-*/**"}}, req: request("GET", far), repo: "other/team-a/x", want: redirect.Signed},
		{name: "all", policy: redirect.Policy{ExceptRepositories: []string{"**"}}, req: request("GET", far), repo: "a/b", want: redirect.Repository},
		{name: "all of two levels", policy: redirect.Policy{ExceptRepositories: []string{"*/**"}}, req: request("GET", far), repo: "a", want: redirect.Signed},
		{name: "not the team alone", policy: redirect.Policy{ExceptRepositories: []string{"team/**"}}, req: request("GET", far), repo: "teamster/app", want: redirect.Signed},
	} {
		if got := tt.policy.Decide(tt.req, tt.repo, tt.size); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestBadPolicy(t *testing.T) {
	for _, p := range []redirect.Policy{{MinSize: -1}, {ExceptRepositories: []string{"team/[a"}}, {ExceptRepositories: []string{"a/**/b"}}, {ExceptRepositories: []string{"a**"}}, {ExceptRepositories: []string{"**/**"}}} {
		if err := p.Check(); !errors.Is(err, driver.Invalid) {
			t.Errorf("%+v: got %v, want %v", p, err, driver.Invalid)
		}
	}
	if err := (redirect.Policy{ExceptRepositories: []string{"team/**", "a", "**", "*/**"}}).Check(); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"10.0.0.0/33", "host", "", "::ffff:10.0.0.0/104"} {
		if _, err := redirect.ParseNetworks("redirect_networks", []string{s}); !errors.Is(err, driver.Invalid) {
			t.Errorf("%q: got %v, want %v", s, err, driver.Invalid)
		}
	}
}
