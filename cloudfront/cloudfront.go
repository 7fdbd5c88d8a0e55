// Package cloudfront signs URLs of an Amazon CloudFront distribution that has the
// bucket, or any other store, as its origin. Importing it makes it known as a
// signer of redirects:
//
//	redirect_signer=cloudfront
//	cloudfront_url          https://d111111abcdef8.cloudfront.net, or a name of its own
//	cloudfront_key_pair_id  the id of the public key, of a key group that the
//	                        distribution trusts
//	cloudfront_key_file     the private key, PEM: RSA (2048 bits) or ECDSA (P-256).
//	                        Without it BLOBDOCK_CLOUDFRONT_KEY holds the key itself.
//
// The distribution's origin path is that of the bucket, so that a key is looked up
// with the storage URL's prefix. URLs carry a canned policy: they open one object
// until they expire, for whoever has them. What CloudFront answers with is what the
// object has: a distribution forwards no response-... parameters unless told to.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
package cloudfront

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/redirect"
)

func init() { redirect.Register("cloudfront", open) }

// Config describes a CloudFront distribution.
type Config struct {
	URL       string // of the distribution
	KeyPairID string
	Key       []byte `json:"-"` // PEM
	Prefix    string // of all keys at the origin; a "/" is put between prefix and key
}

const keyVar = "BLOBDOCK_CLOUDFRONT_KEY"

func open(p *driver.Params, prefix string) (redirect.Signer, error) {
	c := Config{URL: p.String("cloudfront_url", ""), KeyPairID: p.String("cloudfront_key_pair_id", ""), Prefix: prefix}
	file := p.String("cloudfront_key_file", "")
	if err := p.Err(); err != nil {
		return nil, err
	}
	c.Key = []byte(os.Getenv(keyVar))
	if file != "" {
		var err error
		if c.Key, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("cloudfront_key_file: %w: %w", err, driver.Invalid)
		}
	}
	return New(c)
}

// New returns a signer for c. Invalid when c lacks something.
func New(c Config) (redirect.Signer, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "":
		return nil, fmt.Errorf("cloudfront_url: want a URL such as https://d111111abcdef8.cloudfront.net: %w", driver.Invalid)
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("cloudfront_url: want a URL without credentials, query and fragment: %w", driver.Invalid)
	case c.KeyPairID == "":
		return nil, fmt.Errorf("cloudfront_key_pair_id is missing: %w", driver.Invalid)
	case len(c.Key) == 0:
		return nil, fmt.Errorf("cloudfront_key_file is missing, and %s is not set: %w", keyVar, driver.Invalid)
	}
	key, err := parseKey(c.Key)
	if err != nil {
		return nil, err
	}
	s := &signer{base: strings.TrimSuffix(c.URL, "/") + "/", sign: sign.NewURLSigner(c.KeyPairID, key)}
	if p := strings.Trim(c.Prefix, "/"); p != "" {
		s.base += escape(p) + "/"
	}
	return s.Sign, nil
}

// parseKey reads both forms of PEM that AWS's documentation makes.
func parseKey(pem []byte) (crypto.Signer, error) {
	if key, err := sign.LoadPEMPrivKey(bytes.NewReader(pem)); err == nil {
		return key, nil
	}
	key, err := sign.LoadPEMPrivKeyPKCS8AsSigner(bytes.NewReader(pem))
	if err != nil {
		// The cause may quote from the key.
		return nil, fmt.Errorf("cloudfront key: want a private key in PEM form, RSA or ECDSA: %w", driver.Invalid)
	}
	return key, nil
}

type signer struct {
	base string // with the prefix, and a slash at its end
	sign *sign.URLSigner
}

// Sign makes a URL by no request.
func (s *signer) Sign(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	if err := errors.Join(ctx.Err(), r.CheckRead()); err != nil {
		return driver.SignedURL{}, driver.Fail(driver.OpSign, r.Key, err)
	}
	expires := time.Now().Add(r.Expires).Truncate(time.Second) // the URL holds whole seconds
	signed, err := s.sign.Sign(s.base+escape(r.Key), expires)
	if err != nil {
		return driver.SignedURL{}, driver.Fail(driver.OpSign, r.Key, fmt.Errorf("cloudfront: %w", err))
	}
	return driver.SignedURL{URL: signed, Expires: expires}, nil
}

func escape(key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.PathEscape(s), "+", "%2B")
	}
	return strings.Join(segments, "/")
}
