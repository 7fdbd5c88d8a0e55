package s3

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
	"github.com/blobdock/blobdock/internal/lend"
)

// Bucket is a bucket of an S3-compatible store. It implements driver.Bucket.
type Bucket struct {
	lent
	client    *s3.Client
	presign   *s3.PresignClient // for clients
	deleter   *s3.PresignClient // for requests of its own
	transport *http.Transport
	name      string
	region    string // that requests are signed for
	prefix    cloud.Prefix
	profile   profile
	customer  *customerKey // nil: the store keeps the keys
	write     attributes
	features  driver.Features
	clock     cloud.Clock
	keys      *keyring // nil: requests go unsigned

	// seen is set once the store has shown that the bucket exists.
	seen atomic.Bool
}

// lent is the SDK's client for this module's tests.
type lent = lend.Client

var _ driver.Bucket = (*Bucket)(nil)

// Open makes a Bucket. It makes no request: a wrong bucket or key shows at the
// first call.
func Open(ctx context.Context, c Config) (*Bucket, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	b, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return b, nil
}

func open(ctx context.Context, c Config) (*Bucket, error) {
	client, err := c.httpClient()
	if err != nil {
		return nil, err
	}
	conf, err := c.awsConfig(ctx, client)
	if err != nil {
		return nil, err
	}
	tr := client.GetTransport()
	if configured, ok := conf.HTTPClient.(*awshttp.BuildableClient); ok {
		tr = configured.GetTransport() // with the authorities of AWS_CA_BUNDLE
	}
	prefix, err := cloud.NewPrefix(c.Prefix)
	if err != nil {
		return nil, err
	}
	customer, err := readCustomerKey(c.SSECustomerKeyFile)
	if err != nil {
		return nil, err
	}
	b := &Bucket{transport: tr, name: c.Bucket, prefix: prefix, customer: customer, write: c.attributes(customer)}
	var optErr error
	b.client = s3.NewFromConfig(conf, func(o *s3.Options) { optErr = b.configure(c, o) })
	if optErr != nil {
		return nil, optErr
	}
	b.lent = lend.New(b.client)
	b.presign = s3.NewPresignClient(s3.New(b.client.Options(), func(o *s3.Options) {
		if c.RedirectEndpoint != "" {
			o.BaseEndpoint = aws.String(strings.TrimSuffix(c.RedirectEndpoint, "/"))
		}
	}))
	b.deleter = s3.NewPresignClient(b.client)
	b.features = b.offer(c)
	return b, nil
}

// configure puts c over the options that the SDK worked out of its own
// configuration. That may name an endpoint too, hence the profile is chosen here.
func (b *Bucket) configure(c Config, o *s3.Options) error {
	if c.Endpoint != "" {
		o.BaseEndpoint = aws.String(strings.TrimSuffix(c.Endpoint, "/"))
	}
	endpoint := aws.ToString(o.BaseEndpoint)
	p := profileOf(endpoint)
	if c.Profile != "" {
		p, _ = profileNamed(c.Profile)
	}
	p, err := c.adjust(p)
	if err != nil {
		return err
	}
	b.profile = p
	if err := c.checkAccessPoint(p, endpoint); err != nil {
		return err
	}

	switch {
	case endpoint == "" && p.name != "aws":
		return fmt.Errorf("profile %s needs an endpoint: %w", p.name, driver.Invalid)
	case b.customer != nil && strings.HasPrefix(strings.ToLower(endpoint), "http:"):
		return fmt.Errorf("sse_customer_key_file: the key goes along with each request, which needs https: %w", driver.Invalid)
	case endpoint != "" && (c.DualStack || c.FIPS || c.Accelerate):
		return fmt.Errorf("endpoint (or AWS_ENDPOINT_URL_S3) and %s exclude each other: both choose the host: %w", c.hostOptions(), driver.Invalid)
	case isARN(c.Bucket):
		at, _ := parseARN(c.Bucket) // has been checked
		o.Region = at.region
	case c.Region != "":
	case p.regionOf(endpoint) != "":
		o.Region = p.regionOf(endpoint)
	case o.Region == "":
		o.Region = p.region
	}
	if o.Region == "" {
		return fmt.Errorf("no region: set the region parameter or AWS_REGION: %w", driver.Invalid)
	}

	b.region = o.Region

	o.HTTPClient = cloud.Transport{Transport: b.transport, Log: c.LogRequests, Clock: &b.clock, TLS: cloud.NewTLSFiles(c.Network)}
	// blobdock's own wrapper repeats calls, and knows which may be repeated.
	o.Retryer = aws.NopRetryer{}
	o.UsePathStyle = p.pathStyle
	o.UseAccelerate = c.Accelerate
	if c.DualStack {
		o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	if c.FIPS {
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	// Sums go as headers that are set here; those of whole objects can't be checked
	// on a range.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	if p.noExpect {
		o.ContinueHeaderThresholdBytes = -1
	}
	if h := c.header(); len(h) > 0 {
		o.APIOptions = append(o.APIOptions, addHeader(h))
	}
	if p.unsignedEncoding {
		o.APIOptions = append(o.APIOptions, dropAcceptEncoding)
	}
	if o.Credentials != nil && !aws.IsCredentialsProvider(o.Credentials, aws.AnonymousCredentials{}) {
		b.keys = c.keyring()
		o.Credentials = b.keys
	}
	return nil
}

func (b *Bucket) offer(c Config) driver.Features {
	p := b.profile
	f := driver.Features{
		Permissions:  permissions,
		SuffixRange:  true,
		Uploads:      b,
		UploadsByKey: b.profile.uploadsByKey,
		Now:          b.clock.Now,
		Transport:    cloud.Transport{Transport: b.transport, TLS: cloud.NewTLSFiles(c.Network)},
		Name:         "s3/" + p.name,
		Parts:        p.parts,
		Conds:        p.conds,
		Metadata:     true,
		PartSize:     p.partSize,
		Concurrency:  c.Concurrency,
		Copying:      driver.CopyPlan{PartSize: p.copyPart, Concurrency: cmp.Or(c.CopyConcurrency, defaultCopyConcurrency)},
		Copy:         b.copyObject,
		Settings:     b.settings,
		CopyMax:      p.copyOneBelow,
	}
	if p.copyPart != 0 {
		f.CopyPart = b.copyPart
	}
	if p.checksum.flexible() {
		f.StatChecksums = b.statChecksums
	}
	if p.batchMax != 0 {
		f.DeleteBatch, f.BatchMax, f.Conds.DeleteBatch = b.deleteBatch, p.batchMax, true
	}
	f.Conds.DeleteNotAfter = !c.Anonymous
	if c.Profile == "" && p.name == generic {
		f.Identify = b.identify
	}
	if !c.Anonymous && b.customer == nil {
		f.Sign = b.sign
	}
	return f
}

// Features tells what the store offers, as far as its profile is known to.
func (b *Bucket) Features() driver.Features { return b.features }

// Close frees idle connections.
func (b *Bucket) Close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// bucket is the Bucket field of every request.
func (b *Bucket) bucket() *string { return &b.name }

// full is the Key field of a request: key as the store knows it.
func (b *Bucket) full(key string) *string { return aws.String(b.prefix.Full(key)) }

// checkKey is driver.CheckKey with the prefix counted.
func (b *Bucket) checkKey(key string) error { return b.prefix.CheckKey(key) }

// header is of every request.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ObjectsinRequesterPaysBuckets.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
func (c Config) header() http.Header {
	h := http.Header{}
	if c.RequesterPays {
		h.Set("X-Amz-Request-Payer", "requester")
	}
	if c.BucketOwner != "" {
		h.Set("X-Amz-Expected-Bucket-Owner", c.BucketOwner)
	}
	return h
}

// addHeader adds h before a request is signed.
func addHeader(h http.Header) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Build.Add(middleware.BuildMiddlewareFunc("blobdock:Header",
			func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
				if req, ok := in.Request.(*smithyhttp.Request); ok {
					for name := range h {
						req.Header.Set(name, h.Get(name))
					}
				}
				return next.HandleBuild(ctx, in)
			}), middleware.After)
	}
}

// dropAcceptEncoding takes a header out of the signature that the store's front
// end changes on the way.
func dropAcceptEncoding(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("blobdock:DropAcceptEncoding",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			if req, ok := in.Request.(*smithyhttp.Request); ok {
				req.Header.Del("Accept-Encoding")
			}
			return next.HandleFinalize(ctx, in)
		}), "Signing", middleware.Before)
}
