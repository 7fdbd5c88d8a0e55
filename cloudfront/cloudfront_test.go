package cloudfront_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/cloudfront"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/redirect"
)

const (
	base = "https://d111111abcdef8.cloudfront.net"
	pair = "K2JCJMDEHXQW5F"
)

func rsaKey(t *testing.T) (*rsa.PrivateKey, map[string][]byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key, map[string][]byte{
		"PKCS#1": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		"PKCS#8": pkcs8(t, key),
	}
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

var get = driver.SignRequest{Method: http.MethodGet, Key: "docker/registry/v2/blobs/a b+c", Expires: 20 * time.Minute}

func TestSign(t *testing.T) {
	key, forms := rsaKey(t)
	for form, text := range forms {
		sign, err := cloudfront.New(cloudfront.Config{URL: base + "/", KeyPairID: pair, Key: text, Prefix: "/team/"})
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		got, err := sign(t.Context(), get)
		if err != nil {
			t.Fatal(err)
		}
		const want = base + "/team/docker/registry/v2/blobs/a%20b%2Bc"
		at, _, _ := strings.Cut(got.URL, "?")
		if at != want || time.Until(got.Expires) > 20*time.Minute || time.Until(got.Expires) < 19*time.Minute {
			t.Errorf("%s: %s until %v, want %s for 20 minutes", form, at, got.Expires, want)
		}
		verify(t, &key.PublicKey, at, got)
	}
}

// verify checks a signature as CloudFront's documentation describes it.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
func verify(t *testing.T, key *rsa.PublicKey, at string, s driver.SignedURL) {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("Key-Pair-Id") != pair || q.Get("Expires") != fmt.Sprint(s.Expires.Unix()) {
		t.Errorf("key pair %s, expires %s", q.Get("Key-Pair-Id"), q.Get("Expires"))
	}
	policy := fmt.Sprintf(`{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`, at, s.Expires.Unix())
	signature, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(q.Get("Signature")))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte(policy))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature); err != nil {
		t.Errorf("signature of %s: %v", policy, err)
	}
}

func TestSignECDSA(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	// As "openssl ecparam -genkey" writes it, the curve's parameters first.
	sec1 := append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	for form, text := range map[string][]byte{"PKCS#8": pkcs8(t, key), "SEC 1": sec1} {
		sign, err := cloudfront.New(cloudfront.Config{URL: base, KeyPairID: pair, Key: text})
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if got, err := sign(t.Context(), get); err != nil || !strings.Contains(got.URL, "Signature=") {
			t.Errorf("%s: got %s, %v", form, got, err)
		}
	}
}

func TestRefused(t *testing.T) {
	_, forms := rsaKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := cloudfront.Config{URL: base, KeyPairID: pair, Key: forms["PKCS#8"]}
	for name, change := range map[string]func(*cloudfront.Config){
		"no URL":       func(c *cloudfront.Config) { c.URL = "" },
		"no scheme":    func(c *cloudfront.Config) { c.URL = "d111111abcdef8.cloudfront.net" },
		"a password":   func(c *cloudfront.Config) { c.URL = "https://u:secret@cdn.example.com" },
		"no key pair":  func(c *cloudfront.Config) { c.KeyPairID = "" },
		"no key":       func(c *cloudfront.Config) { c.Key = nil },
		"a bad key":    func(c *cloudfront.Config) { c.Key = []byte("secret") },
		"a bare query": func(c *cloudfront.Config) { c.URL = base + "?" },
		"P-384":        func(c *cloudfront.Config) { c.Key = pkcs8(t, p384) },
		"Ed25519":      func(c *cloudfront.Config) { c.Key = pkcs8(t, ed) },
	} {
		c := good
		change(&c)
		if _, err := cloudfront.New(c); !errors.Is(err, driver.Invalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %v", name, err, driver.Invalid)
		}
	}
	sign, err := cloudfront.New(good)
	if err != nil {
		t.Fatal(err)
	}
	put := get
	put.Method = http.MethodPut
	if _, err := sign(t.Context(), put); !errors.Is(err, driver.Unsupported) {
		t.Errorf("PUT: got %v, want %v", err, driver.Unsupported)
	}
}

func TestOpen(t *testing.T) {
	_, forms := rsaKey(t)
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, forms["PKCS#1"], 0o600); err != nil {
		t.Fatal(err)
	}
	q := url.Values{"cloudfront_url": {base}, "cloudfront_key_pair_id": {pair}, "cloudfront_key_file": {file}}
	if _, err := redirect.Open("cloudfront", driver.NewParams(q), ""); err != nil {
		t.Error(err)
	}
	q.Del("cloudfront_key_file")
	if _, err := redirect.Open("cloudfront", driver.NewParams(q), ""); !errors.Is(err, driver.Invalid) {
		t.Errorf("without a key: got %v, want %v", err, driver.Invalid)
	}
	t.Setenv("BLOBDOCK_CLOUDFRONT_KEY", "\ufeff'"+string(forms["PKCS#8"])+"'\n")
	if _, err := redirect.Open("cloudfront", driver.NewParams(q), ""); err != nil {
		t.Errorf("with a key in the environment: %v", err)
	}
	q.Set("cloudfront_keypair", "x")
	if _, err := redirect.Open("cloudfront", driver.NewParams(q), ""); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "cloudfront_key_pair_id") {
		t.Errorf("a misspelt parameter: got %v", err)
	}
	if _, err := redirect.Open("akamai", driver.NewParams(nil), ""); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "cloudfront") {
		t.Errorf("an unknown signer: got %v", err)
	}
}
