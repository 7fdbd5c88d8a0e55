package s3

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// accessPoint is an access point of a bucket as its ARN names it. The zero value is none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
type accessPoint struct{ arn, region string }

// exampleARN is what errors show.
const exampleARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/name"

var accessPointARN = regexp.MustCompile(`^arn:aws[a-z-]*:s3:([a-z0-9-]+):[0-9]{12}:accesspoint/[a-z0-9][a-z0-9-]{1,48}[a-z0-9]$`)

// multiRegionARN has no region.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointRequests.html
var multiRegionARN = regexp.MustCompile(`^arn:aws[a-z-]*:s3::[0-9]*:accesspoint/`)

// aliasSuffix is how the aliases of access points end, which stand for a bucket's name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
const aliasSuffix = "-s3alias"

func isARN(bucket string) bool { return strings.HasPrefix(bucket, "arn:") }

// parseARN reads the ARN that takes the place of a bucket's name.
func parseARN(arn string) (accessPoint, error) {
	if m := accessPointARN.FindStringSubmatch(arn); m != nil {
		return accessPoint{arn, m[1]}, nil
	}
	// Requests go to the bucket that is nearest, and it gets what was written to another one
	// when that has been replicated: an upload would miss its parts, and a tag its manifest.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointRequestRouting.html
	if multiRegionARN.MatchString(arn) {
		return accessPoint{}, fmt.Errorf("bucket %q: a Multi-Region Access Point sends each request to some bucket, which may not have yet what was written before: name the bucket of one region, or its access point, such as %s: %w", arn, exampleARN, driver.Invalid)
	}
	return accessPoint{}, fmt.Errorf("bucket %q: want the name of a bucket, the alias of an access point, or the ARN of an access point of S3 in one region, such as %s: %w", arn, exampleARN, driver.Invalid)
}

// splitARN takes the ARN of an access point from the beginning of a URL's host and path. A
// host without an ARN is a bucket's name.
func splitARN(host, path string) (bucket, rest string) {
	if !isARN(host) {
		return host, path
	}
	if at, name, ok := strings.Cut(host, ":accesspoint:"); ok { // the ARN's other form
		return at + ":accesspoint/" + name, path
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return host + "/" + name, rest
}

// checkAccessPoint returns an Invalid error for options that access points exclude. endpoint
// is the one in use; "" is Amazon's of the region.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-restrictions-limitations.html
func (c Config) checkAccessPoint(p profile, endpoint string) error {
	if !isARN(c.Bucket) && (!strings.HasSuffix(c.Bucket, aliasSuffix) || p.name != "aws") {
		return nil
	}
	var at accessPoint
	if isARN(c.Bucket) {
		var err error
		if at, err = parseARN(c.Bucket); err != nil {
			return err
		}
	}
	var reason string
	switch {
	case p.name != "aws":
		reason = "profile " + p.name + ": Amazon S3 alone has access points"
	case p.pathStyle:
		reason = "path_style: access points are in the host name"
	case c.Accelerate:
		reason = "accelerate: access points have no transfer acceleration"
	case c.Anonymous:
		reason = "anonymous: access points take signed requests alone"
	case strings.HasPrefix(strings.ToLower(endpoint), "http:"):
		reason = "endpoint: access points are reached by https alone"
	case at.region != "" && c.Region != "" && c.Region != at.region:
		reason = fmt.Sprintf("region %s: the access point is in %s", c.Region, at.region)
	default:
		return nil
	}
	return fmt.Errorf("bucket %q excludes %s: %w", c.Bucket, reason, driver.Invalid)
}
