package s3

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// profile is what sets one S3-compatible store apart from the others. It is data
// only: no other file asks which store it talks to.
type profile struct {
	name  string
	hosts []string // endpoint hosts that end like this have the profile

	// replies are the forms of replies that this store alone has, for endpoints whose host
	// name tells nothing.
	replies []mark

	region       string // where the configuration names none; "" needs one
	regionInHost bool   // s3.eu-west-1.example.com names the region

	pathStyle       bool // bucket in the path rather than in the host name
	listV1          bool // ListObjects instead of ListObjectsV2
	checksum        Checksum
	declareChecksum bool // CreateMultipartUpload names the checksum that parts will have
	// It lists multipart uploads only by their exact key.
	uploadsByKey bool
	md5Delete    bool // DeleteObjects wants Content-MD5, a CRC will not do
	noExpect     bool // never answers 100, so waiting for it only costs time
	// The store, or a proxy of it, rewrites Accept-Encoding: it must not be signed.
	unsignedEncoding bool

	parts    driver.PartLimits
	partSize int64 // preferred size of the first parts; 0 is the engine's choice
	conds    driver.Conds

	copyMax      int64 // largest object in one CopyObject
	copyOneBelow int64 // default of CopyThreshold: up to here one request is quickest
	copyPart     int64 // bytes of one UploadPartCopy; 0 where there is none
	batchMax     int   // keys of one DeleteObjects; 0 where there is none

	// keyInterval is how often one key may be written; a write that comes sooner is
	// answered 429. 0 where there is no such limit.
	keyInterval time.Duration
}

// generic is the profile of a store of which nothing is known.
const generic = "generic"

// mark is a header of a reply that tells the store.
type mark struct {
	header string
	value  *regexp.Regexp // nil: any value
}

// server marks the header of that name.
func server(prefix string) mark {
	return mark{"Server", regexp.MustCompile("^" + regexp.QuoteMeta(prefix))}
}

// profileOfReply chooses by the header of a reply.
func profileOfReply(h http.Header) (profile, bool) {
	for _, p := range profiles {
		if slices.ContainsFunc(p.replies, func(m mark) bool { return m.in(h) }) {
			return p, true
		}
	}
	return profile{}, false
}

func (m mark) in(h http.Header) bool {
	return slices.ContainsFunc(h.Values(m.header), func(v string) bool { return m.value == nil || m.value.MatchString(v) })
}

// Profiles lists the names that Config.Profile takes.
func Profiles() []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.name
	}
	return names
}

func profileNamed(name string) (profile, bool) {
	i := slices.IndexFunc(profiles, func(p profile) bool { return p.name == name })
	if i < 0 {
		return profile{}, false
	}
	return profiles[i], true
}

// profileOf chooses by the endpoint, which is "" for Amazon S3.
func profileOf(endpoint string) profile {
	if endpoint == "" {
		return profiles[0]
	}
	if u, err := url.Parse(endpoint); err == nil {
		for _, p := range profiles {
			if p.hostSuffix(u.Hostname()) != "" {
				return p
			}
		}
	}
	return profiles[len(profiles)-1]
}

// hostSuffix is which of p.hosts the host belongs to, "" if to none.
func (p profile) hostSuffix(host string) string {
	host = strings.ToLower(host)
	for _, suffix := range p.hosts {
		if strings.HasSuffix("."+host, "."+strings.TrimPrefix(suffix, ".")) {
			return suffix
		}
	}
	return ""
}

// regionOf is the region that the endpoint's host name tells, or "".
func (p profile) regionOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || !p.regionInHost {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	suffix := p.hostSuffix(host)
	if suffix == "" {
		return ""
	}
	labels := strings.Split(strings.TrimSuffix(host, suffix), ".")
	last := labels[len(labels)-1]
	if last == "vpce" && len(labels) > 1 {
		// PrivateLink: bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
		last = labels[len(labels)-2]
	}
	last = strings.TrimSuffix(last, "-internal") // Alibaba's networks inside
	if old := legacyRegion.FindStringSubmatch(last); old != nil {
		return old[1]
	}
	// s3.amazonaws.com, s3-accelerate.amazonaws.com and s3.wasabisys.com name none.
	if strings.HasPrefix(last, "s3") || last == "dualstack" {
		return ""
	}
	return last
}

// legacyRegion is in the host names of older regions, such as s3-us-west-2.amazonaws.com.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
var legacyRegion = regexp.MustCompile(`^s3-([a-z]{2}(?:-[a-z]+)+-[0-9])$`)
