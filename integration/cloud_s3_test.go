package integration_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	_ "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
	"github.com/blobdock/blobdock/probe"
	_ "github.com/blobdock/blobdock/s3"
)

// s3Cloud is an S3 server.
type s3Cloud struct {
	emulator.S3
	// profile of the S3 driver. By its address alone the store would be a generic
	// one.
	profile string
	lawful  bool // it stands behind laws
	// learned are options that probe.Adapt found, for what the test does itself. The
	// program finds them, too.
	learned driver.Overrides
}

// learn is c with the options that it needs and that nobody would have to configure.
func (c s3Cloud) learn(t testing.TB) s3Cloud {
	t.Helper()
	c.learned = adapt(t, c.url(t, c.newBucket(t))).Options
	return c
}

// adapt is what is found out about a store.
func adapt(t testing.TB, storage string) probe.Adaptation {
	t.Helper()
	found, err := probe.Adapt(t.Context(), func(ctx context.Context, more driver.Overrides) (driver.Bucket, error) {
		l, err := driver.Parse(ctx, storage, more)
		if err != nil {
			return nil, err
		}
		return l.Open()
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func onMinIO(s emulator.S3) s3Cloud { return s3Cloud{S3: s, profile: "minio"} }

func (c s3Cloud) newBucket(t testing.TB) string { return c.NewBucket(t) }

func (c s3Cloud) bare(bucket string) string {
	q := url.Values{"endpoint": {c.Endpoint}, "region": {c.Region}, "path_style": {"true"}}
	if c.profile != "" {
		q.Set("profile", c.profile)
	}
	return "s3://" + bucket + "?" + q.Encode()
}

func (c s3Cloud) env(testing.TB) []string {
	return []string{"AWS_ACCESS_KEY_ID=" + c.AccessKey, "AWS_SECRET_ACCESS_KEY=" + c.SecretKey}
}

func (c s3Cloud) url(t testing.TB, bucket string) string {
	t.Helper()
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKey, c.SecretKey)
	q := url.Values{"credentials_file": {secretFile(t, text)}}
	for name, value := range c.learned {
		q.Set(name, value)
	}
	return c.bare(bucket) + "&" + q.Encode()
}

func (c s3Cloud) endpoint() string { return c.Endpoint }

func (c s3Cloud) at(endpoint string) cloud {
	c.Endpoint = endpoint
	return c
}

func (c s3Cloud) wrong() cloud {
	c.SecretKey = wrongSecret
	return c
}

const wrongSecret = "bm90LXRoZS1zZWNyZXQtb2YtdGhpcy1zdG9yZQ=="

func (c s3Cloud) through(t testing.TB) (cloud, *wire.Proxy) {
	t.Helper()
	s, proxy := wire.S3(t, c.S3)
	c.S3 = s
	return c, proxy
}

// stock is the storage section of distribution's own driver.
func (c s3Cloud) stock(_ testing.TB, bucket string) side {
	return section{"s3": {
		"region": c.Region, "regionendpoint": c.Endpoint, "forcepathstyle": true, "secure": false,
		"chunksize": 5 << 20, "bucket": bucket, "accesskey": c.AccessKey, "secretkey": c.SecretKey,
	}}
}
