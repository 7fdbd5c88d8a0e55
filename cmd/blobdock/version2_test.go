package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// version2 is a configuration of distribution 2 with what version 3 has no more.
const version2 = `
version: 0.1
log: {level: warn}
loglevel: debug
storage:
  blobdock: {url: "mem://version2"}
  cache: {blobdescriptor: inmemory}
reporting: {bugsnag: {apikey: bugsnagapikey}, newrelic: {licensekey: key, name: registry}}
compatibility: {schema1: {enabled: true, signingkeyfile: /etc/registry/key.json}}
redis: {addr: "localhost:6379", password: s3cr3t, pool: {maxidle: 16, maxactive: 64, idletimeout: 300s}}
http: {addr: ":5000", secret: s}
`

// TestVersion2Configuration reads a configuration of distribution 2: sections that are gone are left
// aside.
func TestVersion2Configuration(t *testing.T) {
	config, err := configured(t, version2)
	if err != nil {
		t.Fatal(err)
	}
	if config.HTTP.Addr != ":5000" || config.Log.Level != "warn" {
		t.Errorf("addr %s, level %s", config.HTTP.Addr, config.Log.Level)
	}
}

// TestVersion2TLS names versions of TLS, suites and modes that version 3 does not have.
func TestVersion2TLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	for _, tt := range []struct{ tls, want string }{
		{"minimumtls: tls1.0", `minimumtls "tls1.0": want tls1.2 or tls1.3`},
		{"minimumtls: tls1.1", `minimumtls "tls1.1": want tls1.2 or tls1.3`},
		{"ciphersuites: [SSL_RSA_WITH_NULL]", "SSL_RSA_WITH_NULL"},
		{"ciphersuites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_RSA_WITH_AES_128_CBC_SHA]", ""},
		{"clientcas: [/nowhere.pem]", "/nowhere.pem"},
		{"clientcas: [" + key + "]", "no certificate"},
		{"clientcas: [" + cert + "], clientauth: request-client-cert", ""},
		{"letsencrypt: {cachefile: " + dir + "}", "exclude each other"},
	} {
		config, err := configured(t, minimal+"http: {tls: {certificate: "+cert+", key: "+key+", "+tt.tls+"}}\n")
		if err != nil {
			t.Fatal(err)
		}
		_, err = newCertificates(config.HTTP)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "http.tls") || !errors.Is(err, driver.Invalid)) {
			t.Errorf("%s: got %v, want %q", tt.tls, err, tt.want)
		}
	}
}
