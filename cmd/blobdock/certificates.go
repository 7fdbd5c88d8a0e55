package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"

	"github.com/distribution/distribution/v3/configuration"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// certificates are the registry's certificate and the authorities of its clients. Files that
// are replaced are read again: they are looked at once a second at most, when a client connects,
// and at SIGHUP.
type certificates struct {
	http  configuration.HTTP
	files *cloud.Files // nil for Let's Encrypt

	mu      sync.Mutex
	current *tls.Config
}

// newCertificates reads the files. It returns nil where the configuration has no TLS.
func newCertificates(h configuration.HTTP) (*certificates, error) {
	encrypt := h.TLS.LetsEncrypt.CacheFile != ""
	switch {
	case h.TLS.Certificate == "" && !encrypt:
		return nil, nil //nolint:nilnil // no TLS is nothing, and no error
	case h.TLS.Certificate != "" && encrypt:
		return nil, fmt.Errorf("http.tls: certificate and letsencrypt exclude each other: %w", driver.Invalid)
	}
	c := &certificates{http: h}
	paths := append([]string{h.TLS.Certificate, h.TLS.Key}, h.TLS.ClientCAs...)
	c.files = cloud.NewFiles(paths...)
	var err error
	if c.current, err = c.read(); err != nil {
		return nil, fmt.Errorf("http.tls: %w: %w", err, driver.Invalid)
	}
	return c, nil
}

// config returns the configuration of a listener.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // what is really asked for is in the one below
		NextProtos: nextProtos(c.http),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.now(c.files.Changed()), nil
		},
	}
}

// now returns the configuration in use, after the files were read again if they have changed.
// Files that can't be read, or don't fit each other while they are being replaced, leave the
// one in use as it is until they change again.
func (c *certificates) now(changed bool) *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !changed {
		return c.current
	}
	stat := c.files.Stat()
	next, err := c.read()
	c.files.Read(stat)
	if err != nil {
		slog.Warn("the certificates were replaced, and can't be read: the old ones stay in use", "cause", err)
		return c.current
	}
	slog.Info("the certificates were replaced, and are read again", "certificate", c.http.TLS.Certificate)
	c.current = next
	return next
}

func (c *certificates) read() (*tls.Config, error) {
	t := c.http.TLS
	conf := &tls.Config{NextProtos: nextProtos(c.http)}
	var err error
	if conf.MinVersion, err = minVersion(t.MinimumTLS); err != nil {
		return nil, err
	}
	if conf.CipherSuites, err = cipherSuites(t.CipherSuites); err != nil {
		return nil, err
	}
	if t.LetsEncrypt.CacheFile != "" {
		conf.GetCertificate = letsEncrypt(t.LetsEncrypt).GetCertificate
	} else {
		pair, err := cloud.KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	if len(t.ClientCAs) == 0 {
		return conf, nil
	}
	conf.ClientCAs = x509.NewCertPool()
	for _, path := range t.ClientCAs {
		text, err := cloud.ReadPEM(path)
		if err != nil {
			return nil, fmt.Errorf("clientcas: %w", err)
		}
		if !conf.ClientCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("clientcas: %s: no certificate in PEM form", path)
		}
	}
	conf.ClientAuth = clientAuth[t.ClientAuth]
	return conf, nil
}

// clientAuth are the values of http.tls.clientauth. Without one clients need a certificate.
var clientAuth = map[configuration.ClientAuth]tls.ClientAuthType{
	"": tls.RequireAndVerifyClientCert,
	configuration.ClientAuthRequestClientCert:          tls.RequestClientCert,
	configuration.ClientAuthRequireAnyClientCert:       tls.RequireAnyClientCert,
	configuration.ClientAuthVerifyClientCertIfGiven:    tls.VerifyClientCertIfGiven,
	configuration.ClientAuthRequireAndVerifyClientCert: tls.RequireAndVerifyClientCert,
}

func minVersion(name string) (uint16, error) {
	switch name {
	case "", "tls1.2":
		return tls.VersionTLS12, nil
	case "tls1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("minimumtls %q: want tls1.2 or tls1.3", name)
}

// defaultSuites are those that distribution takes: forward secrecy and authenticated encryption.
// Those of TLS 1.3 can't be chosen. https://go.dev/blog/tls-cipher-suites
var defaultSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
}

func cipherSuites(names []string) ([]uint16, error) {
	if len(names) == 0 {
		return defaultSuites, nil
	}
	byName := make(map[string]uint16)
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		byName[s.Name] = s.ID
	}
	var suites []uint16
	for _, name := range names {
		id, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("ciphersuites: there is no %q", name)
		}
		suites = append(suites, id)
	}
	return suites, nil
}

func letsEncrypt(l configuration.LetsEncrypt) *autocert.Manager {
	m := &autocert.Manager{
		Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(l.Hosts...),
		Cache: autocert.DirCache(l.CacheFile), Email: l.Email,
	}
	if l.DirectoryURL != "" {
		m.Client = &acme.Client{DirectoryURL: l.DirectoryURL}
	}
	return m
}

// name returns a host name that the certificate is for, or "".
func (c *certificates) name() string {
	if hosts := c.http.TLS.LetsEncrypt.Hosts; len(hosts) > 0 {
		return hosts[0]
	}
	for _, pair := range c.now(false).Certificates {
		leaf := pair.Leaf
		if leaf == nil {
			continue
		}
		for _, name := range leaf.DNSNames {
			if name != "" && name[0] != '*' {
				return name
			}
		}
		if len(leaf.IPAddresses) > 0 {
			return leaf.IPAddresses[0].String()
		}
	}
	return ""
}
