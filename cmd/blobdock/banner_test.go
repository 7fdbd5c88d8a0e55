package main

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
)

// TestBanner says where clients reach the registry, and what they can do there.
func TestBanner(t *testing.T) {
	tcp := &net.TCPAddr{IP: net.IPv4zero, Port: 5000}
	for name, tt := range map[string]struct {
		config string
		addr   net.Addr
		hosts  []string // of Let's Encrypt
		want   string   // without the line of the storage
	}{
		"all addresses": {"", tcp, nil, `
registry   http://127.0.0.1:5000
try        crane copy alpine:latest 127.0.0.1:5000/alpine:latest
           docker push 127.0.0.1:5000/alpine:latest
`},
		"IPv6": {"", &net.TCPAddr{IP: net.IPv6loopback, Port: 5000}, nil, `
registry   http://[::1]:5000
try        crane copy alpine:latest [::1]:5000/alpine:latest
           docker push [::1]:5000/alpine:latest
`},
		"TLS": {"", tcp, []string{"r.example.com"}, `
registry   https://r.example.com:5000
try        crane copy alpine:latest r.example.com:5000/alpine:latest
           docker push r.example.com:5000/alpine:latest
`},
		"behind a proxy": {"http: {host: \"https://u:s3cr3t@r.example.com\"}", tcp, nil, `
registry   http://127.0.0.1:5000  (for clients https://r.example.com)
try        crane copy alpine:latest r.example.com/alpine:latest
           docker push r.example.com/alpine:latest
`},
		"a prefix": {"http: {prefix: /team/a/}", tcp, nil, `
registry   http://127.0.0.1:5000/team/a/
try        curl http://127.0.0.1:5000/team/a/v2/
`},
		"a prefix, behind a proxy": {"http: {prefix: /team/, host: \"https://r.example.com\"}", tcp, nil, `
registry   http://127.0.0.1:5000/team/  (for clients https://r.example.com)
try        crane copy alpine:latest r.example.com/alpine:latest
           docker push r.example.com/alpine:latest
`},
		"a unix socket": {"", &net.UnixAddr{Net: "unix", Name: "/run/s"}, nil, `
registry   /run/s  (unix socket, http)
try        curl --unix-socket /run/s http://localhost/v2/
`},
		"read-only": {"storage: {blobdock: {url: \"mem://banner\"}, maintenance: {readonly: {enabled: true}}}", tcp, nil, `
registry   http://127.0.0.1:5000
try        crane pull 127.0.0.1:5000/NAME:TAG image.tar
           docker pull 127.0.0.1:5000/NAME:TAG
`},
		"a cache": {"proxy: {remoteurl: \"https://registry-1.docker.io\"}", tcp, nil, `
registry   http://127.0.0.1:5000
try        crane pull 127.0.0.1:5000/library/alpine:latest image.tar
           docker pull 127.0.0.1:5000/library/alpine:latest
`},
	} {
		text := "version: 0.1\n" + tt.config + "\n"
		if !strings.Contains(text, "storage:") {
			text += "storage: {blobdock: {url: \"mem://banner\"}}\n"
		}
		config, err := configuration.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var own *certificates
		if tt.hosts != nil {
			own = &certificates{http: configuration.HTTP{TLS: configuration.TLS{LetsEncrypt: configuration.LetsEncrypt{Hosts: tt.hosts}}}}
		}
		var out bytes.Buffer
		announce(&out, config, tt.addr, own)
		if got := strings.Replace(out.String(), "storage    mem://banner\n", "", 1); got != strings.TrimPrefix(tt.want, "\n") {
			t.Errorf("%s:\n%swant%s", name, got, tt.want)
		}
	}
}
