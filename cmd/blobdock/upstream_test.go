package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/google/go-cmp/cmp"
)

// TestUpstreamCredentials hands a cache's credentials over, none for a public registry, and leaves
// a helper of the operator's alone.
func TestUpstreamCredentials(t *testing.T) {
	for _, tt := range []struct{ user, password string }{{"user", "s3cr3t: \"x\""}, {"", ""}} {
		t.Setenv(upstreamUser, "")
		t.Setenv(upstreamPassword, "")
		config := &configuration.Configuration{Proxy: configuration.Proxy{RemoteURL: "https://r.example.com", Username: tt.user, Password: tt.password}}
		if err := startOffline(config); err != nil || config.Proxy.Exec == nil || config.Proxy.Exec.Command == "" {
			t.Fatalf("%+v, %v", config.Proxy.Exec, err)
		}
		var out bytes.Buffer
		cmd := rootCommand()
		cmd.SetArgs([]string{"get"})
		cmd.SetIn(strings.NewReader("auth.example.com\n"))
		cmd.SetOut(&out)
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"ServerURL": "auth.example.com", "Username": tt.user, "Secret": tt.password}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	own := &configuration.Configuration{Proxy: configuration.Proxy{RemoteURL: "https://r.example.com", Exec: &configuration.ExecConfig{Command: "/bin/own"}}}
	if err := startOffline(own); err != nil || own.Proxy.Exec.Command != "/bin/own" {
		t.Errorf("%+v, %v", own.Proxy.Exec, err)
	}
	none := new(configuration.Configuration)
	if err := startOffline(none); err != nil || none.Proxy.Exec != nil {
		t.Errorf("%+v, %v", none.Proxy.Exec, err)
	}
}
