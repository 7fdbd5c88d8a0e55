package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
)

// announce says where the registry is and what to try. addr is where it listens; tls is nil
// without TLS.
func announce(out io.Writer, config *configuration.Configuration, addr net.Addr, tls *certificates) {
	scheme, name := "http", ""
	if tls != nil {
		scheme, name = "https", tls.name()
	}
	host := reachable(addr.String())
	if _, port, err := net.SplitHostPort(host); err == nil && name != "" {
		host = net.JoinHostPort(name, port)
	}
	prefix := strings.Trim(config.HTTP.Prefix, "/")
	if prefix != "" {
		prefix += "/"
	}
	where := fmt.Sprintf("%s://%s", scheme, host)
	if prefix != "" {
		where += "/" + prefix
	}
	if addr.Network() == "unix" {
		where = addr.String() + "  (unix socket, " + scheme + ")"
	}
	public, err := url.Parse(config.HTTP.Host)
	isPublic := err == nil && public.Host != ""
	if isPublic {
		where += "  (for clients " + redact(public.String()) + ")"
	}
	fmt.Fprintf(out, "registry   %s\n", where)
	fmt.Fprintf(out, "storage    %s\n", describeStorage(config))
	switch {
	case isPublic:
		suggest(out, config, public.Host)
	case addr.Network() == "unix":
		fmt.Fprintf(out, "try        curl --unix-socket %s %s://localhost/%sv2/\n", addr, scheme, prefix)
	case prefix != "":
		// Clients ask for /v2/ at the root of a host: a proxy has to lead there.
		fmt.Fprintf(out, "try        curl %s://%s/%sv2/\n", scheme, host, prefix)
	default:
		suggest(out, config, host)
	}
}

// suggest says what a client may try at a host: to pull from what can't be pushed to.
func suggest(out io.Writer, config *configuration.Configuration, host string) {
	if readOnly(config) || config.Proxy.RemoteURL != "" {
		image := host + "/NAME:TAG"
		if remote, err := url.Parse(config.Proxy.RemoteURL); err == nil && strings.HasSuffix(remote.Hostname(), "docker.io") {
			image = host + "/library/alpine:latest"
		}
		fmt.Fprintf(out, "try        crane pull %s image.tar\n           docker pull %s\n", image, image)
		return
	}
	fmt.Fprintf(out, "try        crane copy alpine:latest %s/alpine:latest\n", host)
	fmt.Fprintf(out, "           docker push %s/alpine:latest\n", host)
}

// reachable replaces an unspecified host by one to connect to.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func describeStorage(config *configuration.Configuration) string {
	if config.Storage.Type() != blobdock.Name {
		return config.Storage.Type() + " (distribution's own driver)"
	}
	raw, _ := config.Storage.Parameters()["url"].(string)
	if raw == defaultStorage {
		if abs, err := filepath.Abs("blobdock-data"); err == nil {
			return raw + "  (" + abs + ")"
		}
	}
	c, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		return redact(raw)
	}
	where := redact(c.URL)
	endpoint := c.Overrides["endpoint"]
	if u, err := driver.ParseURL(c.URL); err == nil && endpoint == "" {
		endpoint = u.Query().Get("endpoint")
	}
	var notes []string
	if endpoint != "" {
		notes = append(notes, redact(endpoint))
	}
	if profile := c.Overrides["profile"]; profile != "" {
		notes = append(notes, "profile "+profile)
	}
	if len(notes) > 0 {
		where += "  (" + strings.Join(notes, ", ") + ")"
	}
	return where
}
