package driver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSettings(t *testing.T) {
	p := params(t, "mode=b&on=yes&size=1024KiB&wait=60s").WithOverrides(Overrides{"secretkey": "s3cr3t", "n": "7", "list": "a, b"})
	p.String("mode", "a")
	p.String("unset", "default")
	p.Bool("on", false)
	if b := p.OptionalBool("auto"); b != nil {
		t.Errorf("auto is %t, want nil", *b)
	}
	p.Int("n", 1, 1, 10)
	p.Int("none", 0, 1, 10)
	p.Duration("wait", 0, 0, time.Hour)
	p.Bytes("size", 8<<20, 1, 5<<30)
	p.List("list")
	if got := p.Secret("secret_key"); got != "s3cr3t" {
		t.Errorf("secret_key is %q", got)
	}
	if got := p.Secret("session_token"); got != "" {
		t.Errorf("session_token is %q", got)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	p.Resolve("auto", "true")
	want := []Setting{
		{"mode", "b", false}, {"unset", "default", false}, {"on", "true", false}, {"auto", "true", false},
		{"n", "7", false}, {"none", "", false}, {"wait", "1m0s", false}, {"size", "1MiB", false}, {"list", "a,b", false},
		{"secret_key", Redacted, true}, {"session_token", "", true},
	}
	if diff := cmp.Diff(want, p.Settings()); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestOverridesRefuses(t *testing.T) {
	for _, tt := range []struct {
		query     string
		overrides Overrides
		want      string
	}{
		{"secret_key=s3cr3t", nil, "secret_key: a secret does not belong into a URL"},
		{"secret_key=", nil, "secret_key: a secret does not belong into a URL"},
		{"part_size=1", Overrides{"part_size": "2"}, "part_size is given twice"},
		{"part_size=1", Overrides{"partsize": "2"}, "given twice, as partsize beside the URL"},
		{"", Overrides{"part_size": "1", "partsize": "2"}, "given twice"},
		{"partsize=1", nil, `unknown parameter "partsize"`}, // in a URL there is one way to write it
		{"", Overrides{"secret": "s3cr3t"}, `unknown parameter "secret", valid ones are part_size, secret_key`},
	} {
		p := params(t, tt.query).WithOverrides(tt.overrides)
		p.Int("part_size", 0, 1, 10)
		p.Secret("secret_key")
		err := p.Err()
		if !errors.Is(err, Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q and %v: got %v, want %q", tt.query, tt.overrides, err, tt.want)
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q tells a secret: %v", tt.query, err)
		}
	}
}

func TestOverridesHides(t *testing.T) {
	b := Overrides{"secret_key": "s3cr3t", "region": "r"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		got := fmt.Sprintf(format, struct{ B Overrides }{b})
		if strings.Contains(got, "s3cr3t") || !strings.Contains(got, "secret_key") {
			t.Errorf("%s prints %s", format, got)
		}
	}
}
