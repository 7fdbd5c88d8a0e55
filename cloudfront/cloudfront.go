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
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
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
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, fmt.Errorf("cloudfront_url: want a URL without credentials, query and fragment: %w", driver.Invalid)
	case c.KeyPairID == "":
		return nil, fmt.Errorf("cloudfront_key_pair_id is missing: %w", driver.Invalid)
	case len(c.Key) == 0:
		return nil, fmt.Errorf("cloudfront_key_file is missing, and %s is not set: %w", keyVar, driver.Invalid)
	}
	key, err := parseKey([]byte(driver.TrimSecret(string(c.Key))))
	if err != nil {
		return nil, err
	}
	s := &signer{base: strings.TrimSuffix(c.URL, "/") + "/", sign: sign.NewURLSigner(c.KeyPairID, key)}
	if p := strings.Trim(c.Prefix, "/"); p != "" {
		s.base += cloud.EscapePath(p) + "/"
	}
	return s.Sign, nil
}

// parseKey reads the forms of PEM that openssl makes. CloudFront takes two kinds of
// keys.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html
func parseKey(text []byte) (crypto.Signer, error) {
	// What the parsers say may quote from the key.
	bad := fmt.Errorf("cloudfront key: want a private key in PEM form, RSA of 2048 bits or ECDSA on P-256: %w", driver.Invalid)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		default:
			continue // the parameters of a curve, say
		}
		if err != nil {
			return nil, bad
		}
		switch key := key.(type) {
		case *rsa.PrivateKey:
			if key.N.BitLen() == 2048 {
				return key, nil
			}
		case *ecdsa.PrivateKey:
			if key.Curve == elliptic.P256() {
				return key, nil
			}
		}
		return nil, bad
	}
	return nil, bad
}

type signer struct {
	base string // with the prefix, and a slash at its end
	sign *sign.URLSigner
}

// Sign makes a URL by no request.
func (s *signer) Sign(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	if err := errors.Join(ctx.Err(), r.CheckRead()); err != nil {
		return driver.SignedURL{}, driver.NewError(driver.OpSign, r.Key, err)
	}
	expires := time.Now().Add(r.Expires).Truncate(time.Second) // the URL holds whole seconds
	signed, err := s.sign.Sign(s.base+cloud.EscapePath(r.Key), expires)
	if err != nil {
		return driver.SignedURL{}, driver.NewError(driver.OpSign, r.Key, fmt.Errorf("cloudfront: %w", err))
	}
	return driver.SignedURL{URL: signed, Expires: expires}, nil
}
