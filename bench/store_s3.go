package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
	_ "github.com/blobdock/blobdock/s3" // s3://
)

type s3Store struct {
	emulator.S3
	credentials string // file
}

func launchS3(ctx context.Context, dir string) (store, func() error, error) {
	s, stop, err := emulator.LaunchS3(ctx)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, "s3.credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.SecretKey)
	return s3Store{s, path}, stop, os.WriteFile(path, []byte(text), 0o600)
}

func (s s3Store) name() string  { return "s3" }
func (s s3Store) title() string { return "S3 (MinIO)" }

func (s s3Store) makeBucket(ctx context.Context) (string, error) { return s.MakeBucket(ctx) }

func (s s3Store) dropBucket(ctx context.Context, name string) error { return s.DropBucket(ctx, name) }

func (s s3Store) through() (store, *wire.Proxy, error) {
	behind, proxy, err := wire.OpenS3(s.S3)
	s.S3 = behind
	return s, proxy, err
}

func (s s3Store) url(bucket string) string {
	q := url.Values{"endpoint": {s.Endpoint}, "region": {s.Region}, "profile": {"minio"}, "credentials_file": {s.credentials}}
	return "s3://" + bucket + "?" + q.Encode()
}

func (s s3Store) blobdock(bucket string) (string, []string) { return s.url(bucket), nil }

func (s s3Store) lead(*http.Transport) {} // URLs lead to this machine

func (s s3Store) stock(bucket string) (map[string]any, []string) {
	return map[string]any{
		"region": s.Region, "regionendpoint": s.Endpoint, "forcepathstyle": true, "secure": false,
		"bucket": bucket, "accesskey": s.AccessKey, "secretkey": s.SecretKey,
	}, nil
}

func (s s3Store) cannot(scenario) string { return "" }
