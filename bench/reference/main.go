// Command reference does the least that has to be done to push or pull a blob, and
// prints as JSON what that has cost. It is what the registries are held against.
//
//	reference sha256 -size N                       hashes N bytes
//	reference upload -size N -endpoint ... -key K  uploads them to S3 in parts, and hashes them at once
//	reference get -size N -endpoint ... -key K     reads them
//
// Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/bench/content"
	"github.com/blobdock/blobdock/bench/usage"
)

// Four parts of 16 MiB at a time are about the fastest way to MinIO.
const (
	partSize    = 16 << 20
	concurrency = 4
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// work is what to do with which bytes.
type work struct {
	content                       content.Content
	endpoint, region, bucket, key string
}

var works = map[string]func(context.Context, work) error{"sha256": hash, "upload": upload, "get": get}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || works[args[0]] == nil {
		return fmt.Errorf("usage: reference sha256|upload|get [flags]")
	}
	var w work
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.Int64Var(&w.content.Size, "size", 1<<20, "bytes")
	flags.Uint64Var(&w.content.Seed, "seed", 0, "which bytes")
	flags.StringVar(&w.endpoint, "endpoint", "", "URL of an S3 server")
	flags.StringVar(&w.region, "region", "us-east-1", "its region")
	flags.StringVar(&w.bucket, "bucket", "", "bucket")
	flags.StringVar(&w.key, "key", "", "object")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	before, err := usage.Of(os.Getpid())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := works[args[0]](ctx, w); err != nil {
		return err
	}
	wall := time.Since(began)
	after, err := usage.Of(os.Getpid())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]int64{
		"wall": int64(wall), "cpu": int64(after.CPU - before.CPU),
		"peak_rss": after.Peak, "growth": max(0, after.Peak-before.RSS),
	})
}

func hash(_ context.Context, w work) error {
	w.content.Digest()
	return nil
}

func upload(ctx context.Context, w work) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return hash(ctx, w) })
	g.Go(func() error {
		m := transfermanager.New(w.client(), func(o *transfermanager.Options) {
			o.PartSizeBytes, o.Concurrency = partSize, concurrency
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		})
		_, err := m.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &w.bucket, Key: &w.key, Body: w.content.Reader()})
		return err
	})
	return g.Wait()
}

func get(ctx context.Context, w work) error {
	out, err := w.client().GetObject(ctx, &s3.GetObjectInput{Bucket: &w.bucket, Key: &w.key})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	return w.content.Equal(out.Body, 0, w.content.Size)
}

// client signs no payloads: over http the SDK would hash each part another time.
func (w work) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint:               &w.endpoint,
		Region:                     w.region,
		UsePathStyle:               true,
		Credentials:                credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
		HTTPClient:                 &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		APIOptions:                 []func(*middleware.Stack) error{v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware},
	})
}
