// Package cloudcdn signs URLs of Google's Cloud CDN, for a load balancer that has the bucket
// as its backend bucket. Importing it makes it known as a signer of redirects:
//
//	redirect_signer=cloudcdn
//	cloudcdn_url       https://blobs.example.com, the load balancer's address
//	cloudcdn_key_name  name of the key, as gcloud's --key-name
//	cloudcdn_key_file  its value, as gcloud's --key-file: 16 bytes in base64url.
//	                   Without it BLOBDOCK_CLOUDCDN_KEY holds the value itself.
//
// Such a URL opens one object until it expires, for whoever has it. Cloud CDN takes GET and
// HEAD alone, and answers with what the object has.
// https://cloud.google.com/cdn/docs/using-signed-urls
package cloudcdn

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Cloud CDN's signatures are HMAC-SHA1
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
	"github.com/blobdock/blobdock/redirect"
)

func init() { redirect.Register("cloudcdn", open) }

// Config describes a load balancer with Cloud CDN.
type Config struct {
	URL     string // of the load balancer
	KeyName string
	Key     []byte `json:"-"` // in base64url
	Prefix  string // of all keys in the bucket; a "/" is put between prefix and key
}

const keyVar = "BLOBDOCK_CLOUDCDN_KEY"

func open(p *driver.Params, prefix string) (redirect.Signer, error) {
	c := Config{URL: p.String("cloudcdn_url", ""), KeyName: p.String("cloudcdn_key_name", ""), Prefix: prefix}
	file := p.String("cloudcdn_key_file", "")
	if err := p.Err(); err != nil {
		return nil, err
	}
	c.Key = []byte(os.Getenv(keyVar))
	if file != "" {
		var err error
		if c.Key, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("cloudcdn_key_file: %w: %w", err, driver.Invalid)
		}
	}
	return New(c)
}

// keyName is from https://cloud.google.com/cdn/docs/using-signed-urls#creating_keys
var keyName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// keySize in bytes is from
// https://cloud.google.com/sdk/gcloud/reference/compute/backend-buckets/add-signed-url-key
const keySize = 16

// New returns a signer for c. Invalid when c lacks something.
func New(c Config) (redirect.Signer, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "":
		return nil, fmt.Errorf("cloudcdn_url: want a URL such as https://blobs.example.com: %w", driver.Invalid)
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, fmt.Errorf("cloudcdn_url: want a URL without credentials, query and fragment: %w", driver.Invalid)
	case c.KeyName == "":
		return nil, fmt.Errorf("cloudcdn_key_name is missing: %w", driver.Invalid)
	case !keyName.MatchString(c.KeyName):
		return nil, fmt.Errorf("cloudcdn_key_name %q: want up to 63 letters, digits, - and _: %w", c.KeyName, driver.Invalid)
	case len(c.Key) == 0:
		return nil, fmt.Errorf("cloudcdn_key_file is missing, and %s is not set: %w", keyVar, driver.Invalid)
	}
	key, err := base64.URLEncoding.DecodeString(driver.TrimSecret(string(c.Key)))
	if err != nil || len(key) != keySize {
		// The decoder's error would tell of the key.
		return nil, fmt.Errorf("cloudcdn key: want %d bytes in base64url, as \"head -c 16 /dev/urandom | base64 | tr +/ -_\" makes them: %w", keySize, driver.Invalid)
	}
	s := &signer{base: strings.TrimSuffix(c.URL, "/") + "/", keyName: c.KeyName, key: key}
	if p := strings.Trim(c.Prefix, "/"); p != "" {
		s.base += cloud.EscapePath(p) + "/"
	}
	return s.Sign, nil
}

type signer struct {
	base    string // with the prefix, and a slash at its end
	keyName string
	key     []byte
}

// Sign makes a URL by no request.
func (s *signer) Sign(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	if err := errors.Join(ctx.Err(), r.CheckRead()); err != nil {
		return driver.SignedURL{}, driver.NewError(driver.OpSign, r.Key, err)
	}
	expires := time.Now().Add(r.Expires).Truncate(time.Second) // the URL holds whole seconds
	return driver.SignedURL{URL: sign(s.base+cloud.EscapePath(r.Key), s.keyName, s.key, expires), Expires: expires}, nil
}

// sign signs a URL that has no query. The signature is over all that stands before it, as
// it is sent.
func sign(address, keyName string, key []byte, expires time.Time) string {
	signed := fmt.Sprintf("%s?Expires=%d&KeyName=%s", address, expires.Unix(), keyName)
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(signed))
	return signed + "&Signature=" + base64.URLEncoding.EncodeToString(mac.Sum(nil))
}
