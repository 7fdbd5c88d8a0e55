package laws

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Laws that change what a signature covers stand between two stages: openS3 verifies the
// client's signature as the store would, and takes it off; sealS3 signs anew for the store.

// openS3 verifies signatures. Requests without one are the store's to judge.
func (e *Enforcer) openS3(next handler) handler {
	ownClock := e.enforces("clock-skew")
	return func(w http.ResponseWriter, c call) {
		s, found, ok := signatureOf(c.Request)
		if !found {
			next(w, c)
			return
		}
		var v verdict
		switch {
		case !ok && s.presigned:
			v = verdict{http.StatusBadRequest, "AuthorizationQueryParametersError", "the signature's parameters can't be read"}
		case !ok:
			v = verdict{http.StatusBadRequest, "AuthorizationHeaderMalformed", "the Authorization header can't be read"}
		case s.access != e.s3.AccessKey:
			v = verdict{http.StatusForbidden, "InvalidAccessKeyId", "the access key is not known"}
		case s.region != e.s3.Region:
			v = verdict{http.StatusBadRequest, "AuthorizationHeaderMalformed", "the region '" + s.region + "' is wrong; expecting '" + e.s3.Region + "'"}
		case strings.HasPrefix(c.Header.Get(hashHeader), "STREAMING-"+algorithm):
			v = verdict{http.StatusNotImplemented, "NotImplemented", "the proxy can't sign chunks anew: send the payload unsigned or whole"}
		case !s.covers(c.Request, e.s3):
			v = verdict{http.StatusForbidden, "SignatureDoesNotMatch", "the signature is not that of this request"}
		case !ownClock:
			v = s.stale(time.Now())
		}
		if v.code != "" {
			w.Header().Set("X-Amz-Bucket-Region", e.s3.Region)
			writeErrorS3(w, c, v.status, v.code, v.message)
			return
		}
		c.Request = opened(c.Request, s)
		next(w, c)
	}
}

// signatureKey is where a request's context holds the signature that openS3 took off.
type signatureKey struct{}

func opened(r *http.Request, s signature) *http.Request {
	r = r.Clone(context.WithValue(r.Context(), signatureKey{}, s))
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		r.Header.Del(name)
	}
	if s.presigned {
		q := r.URL.Query()
		for name := range authQuery {
			q.Del(name)
		}
		r.URL.RawQuery = q.Encode()
	}
	return r
}

// signedBy is the signature that c came with.
func signedBy(c call) (signature, bool) {
	s, ok := c.Context().Value(signatureKey{}).(signature)
	return s, ok
}

// sealS3 signs what came with a signature. The body's hash is the one that the client
// declared: the store compares.
func (e *Enforcer) sealS3(next handler) handler {
	cred := aws.Credentials{AccessKeyID: e.s3.AccessKey, SecretAccessKey: e.s3.SecretKey}
	return func(w http.ResponseWriter, c call) {
		if _, ok := signedBy(c); !ok {
			next(w, c)
			return
		}
		if c.Header.Get(hashHeader) == "" {
			c.Header.Set(hashHeader, unsignedPayload)
		}
		// Other headers may change between here and the store.
		names := []string{"content-type", "content-md5"}
		for name := range c.Header {
			if strings.HasPrefix(name, "X-Amz-") {
				names = append(names, strings.ToLower(name))
			}
		}
		again := unsigned(c.Request, names)
		err := v4.NewSigner().SignHTTP(c.Context(), cred, again, c.Header.Get(hashHeader), "s3", e.s3.Region, time.Now(),
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err != nil {
			brokenS3(w, c, err)
			return
		}
		c.Header.Set("Authorization", again.Header.Get("Authorization"))
		c.Header.Set("X-Amz-Date", again.Header.Get("X-Amz-Date"))
		next(w, c)
	}
}
