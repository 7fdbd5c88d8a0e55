package s3

import (
	"errors"
	"net/http"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

func TestProfileOf(t *testing.T) {
	tests := []struct{ endpoint, profile, region string }{
		{"", "aws", ""},
		{"https://s3.amazonaws.com", "aws", ""},
		{"https://s3.eu-west-1.amazonaws.com", "aws", "eu-west-1"},
		{"https://s3.dualstack.eu-west-1.amazonaws.com", "aws", "eu-west-1"},
		{"https://s3.cn-north-1.amazonaws.com.cn", "aws", "cn-north-1"},
		{"https://S3.EU-WEST-1.AMAZONAWS.COM", "aws", "eu-west-1"},
		{"https://0123abcd.r2.cloudflarestorage.com", "r2", ""},
		{"https://0123abcd.eu.r2.cloudflarestorage.com", "r2", ""},
		{"https://s3.us-west-004.backblazeb2.com", "b2", "us-west-004"},
		{"https://s3.eu-central-1.wasabisys.com", "wasabi", "eu-central-1"},
		{"https://s3.wasabisys.com", "wasabi", ""},
		{"https://storage.googleapis.com", "gcs", ""},
		{"https://s3.fr-par.scw.cloud", "scaleway", "fr-par"},
		{"https://gateway.storjshare.io", "storj", ""},
		{"https://ns.compat.objectstorage.us-phoenix-1.oraclecloud.com", "oracle", "us-phoenix-1"},
		{"https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com", "aws", "us-east-1"},
		{"https://bucket.vpce-1a2b3c4d-5e6f-us-east-1a.s3.us-east-1.vpce.amazonaws.com", "aws", "us-east-1"},
		{"https://s3-us-west-2.amazonaws.com", "aws", "us-west-2"},
		{"https://s3-accelerate.amazonaws.com", "aws", ""},
		{"https://s3.us-gov-west-1.amazonaws.com", "aws", "us-gov-west-1"},
		{"https://s3-fips.dualstack.us-east-1.amazonaws.com", "aws", "us-east-1"},
		{"https://s3.eusc-de-east-1.amazonaws.eu", "aws", "eusc-de-east-1"},
		{"https://s3.us-iso-east-1.c2s.ic.gov", "aws", "us-iso-east-1"},
		{"https://s3.dualstack.us-west-2.api.aws", "aws", "us-west-2"},
		{"https://ns.compat.objectstorage.eu-frankfurt-1.oci.customer-oci.com", "oracle", "eu-frankfurt-1"},
		{"https://oss-cn-hangzhou.aliyuncs.com", "oss", "oss-cn-hangzhou"},
		{"https://s3.oss-cn-hangzhou-internal.aliyuncs.com", "oss", "oss-cn-hangzhou"},
		{"https://obs.cn-north-4.myhuaweicloud.com", "obs", "cn-north-4"},
		{"https://nyc3.digitaloceanspaces.com", "digitalocean", "nyc3"},
		{"https://fsn1.your-objectstorage.com", "hetzner", "fsn1"},
		{"https://us-east-1.linodeobjects.com", "linode", "us-east-1"},
		{"https://s3.gra.io.cloud.ovh.net", "ovh", "gra"},
		{"https://s3.private.us-south.cloud-object-storage.appdomain.cloud", "ibm", "us-south"},
		{"https://t3.storage.dev", "tigris", ""},
		{"https://fly.storage.tigris.dev", "tigris", ""},
		{"https://amazonaws.com.example.org", "generic", ""},
		{"https://notamazonaws.com", "generic", ""},
		{"http://127.0.0.1:9000", "generic", ""},
	}
	for _, tt := range tests {
		p := profileOf(tt.endpoint)
		if got := p.regionOf(tt.endpoint); p.name != tt.profile || got != tt.region {
			t.Errorf("%s: profile %s and region %q, want %s and %q", tt.endpoint, p.name, got, tt.profile, tt.region)
		}
	}
}

// What a profile says must fit together.
func TestProfiles(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range profiles {
		l := p.parts
		switch {
		case p.name == "" || seen[p.name]:
			t.Errorf("profile %q comes twice", p.name)
		case l.MinSize <= 0 || l.MinSize > l.MaxSize || l.MaxParts <= 0 || l.MaxPut <= 0 || l.MaxObject < l.MaxPut:
			t.Errorf("%s: limits are %+v", p.name, l)
		case int64(l.MaxParts)*l.MaxSize < l.MaxObject:
			t.Errorf("%s: %d parts of %d don't make an object of %d", p.name, l.MaxParts, l.MaxSize, l.MaxObject)
		case p.checksum.new() == nil:
			t.Errorf("%s: bodies go without a checksum", p.name)
		case p.copyOneBelow > p.copyMax || p.copyMax == 0:
			t.Errorf("%s: copies up to %d of at most %d", p.name, p.copyOneBelow, p.copyMax)
		case p.copyPart == 0 && p.copyOneBelow < p.copyMax:
			t.Errorf("%s: without part copies, one request has to do", p.name)
		case p.copyPart != 0 && (p.copyPart < l.MinSize || p.copyPart > l.MaxSize):
			t.Errorf("%s: copies parts of %d", p.name, p.copyPart)
		case p.partSize != 0 && p.partSize < l.MinSize:
			t.Errorf("%s: prefers parts of %d", p.name, p.partSize)
		case p.region == "" && !p.regionInHost:
			t.Errorf("%s: nothing tells the region", p.name)
		}
		seen[p.name] = true
		if _, err := l.Plan(p.partSize, l.MaxSize, l.MaxObject); err != nil {
			t.Errorf("%s: the largest object can't be planned: %v", p.name, err)
		}
		if got, ok := profileNamed(p.name); !ok || got.name != p.name {
			t.Errorf("%s is not found by name", p.name)
		}
	}
}

// Options go over what the profile says.
func TestAdjust(t *testing.T) {
	p, _ := profileNamed("ceph")
	got, err := Config{PathStyle: new(false), ListV1: new(false), Checksum: ChecksumCRC32, Conditions: ConditionsAll, PartSize: 7 * mib, CopyThreshold: 9 * mib, CopyPartSize: 8 * mib}.adjust(p)
	if err != nil {
		t.Fatal(err)
	}
	all := driver.Conds{Put: driver.AllConds, Complete: driver.AllConds, Copy: driver.AllConds}
	if got.pathStyle || got.listV1 || got.checksum != ChecksumCRC32 || got.conds != all || got.partSize != 7*mib || got.copyOneBelow != 9*mib || got.copyPart != 8*mib {
		t.Errorf("got %+v", got)
	}
	for c, want := range map[Conditions]driver.Conds{
		ConditionsNone: {}, ConditionsPut: {Put: driver.AllConds}, ConditionsComplete: {Put: driver.AllConds, Complete: driver.AllConds},
	} {
		if got, err := (Config{Conditions: c}).adjust(p); err != nil || got.conds != want {
			t.Errorf("conditions=%s: got %+v and %v, want %+v", c, got.conds, err, want)
		}
	}
	some := driver.Conds{Put: driver.CondIfAbsent, Delete: driver.CondIfMatch}
	if got, err := (Config{Conditions: "put-if-absent,delete-if-match"}).adjust(p); err != nil || got.conds != some {
		t.Errorf("conditions: got %+v and %v, want %+v", got.conds, err, some)
	}
	for _, c := range []driver.Conds{{}, {Put: driver.AllConds}, writeConds, all, some} {
		if got, err := conditionsOf(c).conds(driver.Conds{}); err != nil || got != c {
			t.Errorf("conditions %s are read as %+v, %v", conditionsOf(c), got, err)
		}
	}
	for _, bad := range []Conditions{"put,complete", "put-if-absent,", "concat-if-absent", "delete-if-absent"} {
		if err := (Config{Bucket: "b", Conditions: bad}).check(); !errors.Is(err, driver.Invalid) {
			t.Errorf("conditions=%s: %v", bad, err)
		}
	}
	// A store without part copies has no threshold to set.
	storj, _ := profileNamed("storj")
	unknown, _ := profileNamed(generic)
	if got, err := (Config{PartCopy: new(false), CopyThreshold: gib, CopyPartSize: 64 * mib}).adjust(unknown); err != nil || got.copyPart != 0 || got.copyOneBelow != unknown.copyMax {
		t.Errorf("without part copies: copy parts of %d, one copy up to %d (%v), want 0 and %d", got.copyPart, got.copyOneBelow, err, unknown.copyMax)
	}
	if got, err := (Config{CopyThreshold: gib, CopyPartSize: 64 * mib}).adjust(storj); err != nil || got.copyOneBelow != storj.copyOneBelow || got.copyPart != 0 {
		t.Errorf("storj: got %+v and %v", got, err)
	}
	// Ceph's operators name their own storage classes.
	if _, err := (Config{StorageClass: "FAST"}).adjust(p); err != nil {
		t.Errorf("storage class of Ceph: %v", err)
	}
}

func TestAddressing(t *testing.T) {
	for _, tt := range []struct {
		profile string
		style   *bool
		want    string
	}{
		{"minio", nil, "/bucket/p/key?"}, {"scaleway", nil, "/p/key?"}, {"minio", new(false), "/p/key?"}, {"scaleway", new(true), "/bucket/p/key?"},
	} {
		c := testConfig("http://store.localhost")
		c.Prefix, c.Profile, c.PathStyle = "p", tt.profile, tt.style
		b := openTest(t, c)
		got, err := b.features.Sign(t.Context(), driver.SignRequest{Method: "GET", Key: "key", Expires: 1e9})
		host := "http://bucket.store.localhost"
		if tt.want[:3] == "/bu" {
			host = "http://store.localhost"
		}
		if want := host + tt.want; err != nil || got.URL[:len(want)] != want {
			t.Errorf("%s: got %s and %v, want %s", tt.profile, got.URL, err, want)
		}
	}
}

// TestIdentify tells stores by the header of a reply, also of a refusal.
func TestIdentify(t *testing.T) {
	for _, tt := range []struct {
		status int
		header http.Header
		want   string
	}{
		{200, http.Header{"Server": {"MinIO"}}, "minio"},
		{403, http.Header{"Server": {"MinIO"}}, "minio"},
		{200, http.Header{"Server": {"Ceph Object Gateway (squid)"}}, "ceph"},
		{200, http.Header{"X-Amz-Request-Id": {"tx00000527b0b424e55a3ec-006ab3b279-14295-default"}}, "ceph"}, // RGW 16
		{200, http.Header{"X-Amz-Request-Id": {"txbb0eff9ebf9442eab0d02-0061123b5a"}}, ""},                   // Swift's form
		{403, http.Header{"Server": {"WasabiS3/7.20.2951-2024-06-14-7fcea49969 (R401-U28)"}}, "wasabi"},
		{200, http.Header{"Server": {"nginx"}}, ""},
	} {
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			for name, values := range tt.header {
				w.Header()[name] = values
			}
			if tt.status != http.StatusOK {
				reject(tt.status, "AccessDenied", "")(w, r)
				return
			}
			answers(w, r)
		}, func(c *Config) { c.Profile = "" })
		got, err := b.Features().Identify(t.Context())
		if got != tt.want || err != nil || len(f.take()) != 1 {
			t.Errorf("%v: got %q and %v, want %q by one request", tt.header, got, err, tt.want)
		}
	}
	b, _ := fakeStore(t, reject(403, "AccessDenied", ""), func(c *Config) { c.Profile = "" })
	if got, err := b.Features().Identify(t.Context()); got != "" || !errors.Is(err, driver.Denied) {
		t.Errorf("unknown, and refused: got %q and %v", got, err)
	}
	if b, _ := fakeStore(t, answers); b.Features().Identify != nil {
		t.Error("a store with a profile asks for it")
	}
}
