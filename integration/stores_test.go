//go:build stores

package integration_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/verify"
)

// foreign is what is known of an S3 server that others make.
type foreign struct {
	profile    string // that serve recognises by its replies
	conditions string // that serve takes, "" where all of its profile's are honoured
	noPartCopy bool   // serve takes part_copy=false
	// lacks are the checks that probe fails, and what it says to that.
	lacks map[string]string
	// driver is that the store's driver passes the conformance suites.
	driver bool
	// without are tests that the store can't pass, and why.
	without map[string]string
}

// foreigners are the stores that emulator.NewStore starts, with a bucket, region and keys
// as a user would configure them. docs/compat.md has the table.
var foreigners = map[string]foreign{
	"gofakes3": {
		conditions: "put-if-absent,put-if-match",
		noPartCopy: true,
		lacks:      map[string]string{"conditions": "set conditions=put-if-absent,put-if-match", "copy part": "set part_copy=false"},
		without:    map[string]string{"redirects": "it looks at no signature"},
	},
	"versitygw": {profile: "versitygw"},
	"rclone":    {},
	"seaweedfs": {profile: "seaweedfs"},
	"swift":     {profile: "swift", driver: true},
	"ceph":      {profile: "ceph", driver: true},
}

// TestStores runs a registry on S3 servers that others make, with no options but where the
// store is. It has a tag of its own for make test-stores, which builds the servers first: some
// take minutes to build.
func TestStores(t *testing.T) {
	for _, name := range emulator.Stores() {
		t.Run(name, func(t *testing.T) {
			f, known := foreigners[name]
			if !known {
				t.Fatal("nothing is known of this store")
			}
			f.test(t, s3Cloud{S3: emulator.NewStore(t, name)})
		})
	}
}

func (f foreign) test(t *testing.T, c s3Cloud) {
	t.Helper()
	found := c.learn(t)
	for _, tt := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"probe", func(t *testing.T) { f.wantProbed(t, c) }},
		{"serve", func(t *testing.T) { f.wantServed(t, c) }},
		{"driver", func(t *testing.T) { f.conforms(t, found) }},
		{"pushes", func(t *testing.T) { pushesOn(t, c, found) }},
		{"crane", func(t *testing.T) { crane(t, registryOn(t, c, c.newBucket(t))) }},
		{"moves", func(t *testing.T) { moves(t, found) }},
		{"race", func(t *testing.T) { race(t, found) }},
		{"cuts", func(t *testing.T) { cuts(t, found) }},
		{"redirects", func(t *testing.T) { redirects(t, found) }},
		{"check", func(t *testing.T) { checks(t, found) }},
		{"sweep", func(t *testing.T) { sweepsOn(t, c, found) }},
		{"copy", func(t *testing.T) { copiesOn(t, c, found) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if why := f.without[tt.name]; why != "" {
				t.Log("not on this store: ", why)
				return
			}
			tt.do(t)
		})
	}
}

// conforms runs distribution's suite for storage drivers and the conformance suite of our own.
func (f foreign) conforms(t *testing.T, c s3Cloud) {
	t.Helper()
	if !f.driver {
		t.Log("nobody has gone through what this store does otherwise than S3")
		return
	}
	brief(t)
	t.Run("distribution", func(t *testing.T) { storageDriver(t, look(t, c, c.newBucket(t))) })
	h := harness(t, c)
	h.Name, h.Steps, h.ListsUploadsByKey = "s3-"+f.profile, 150, false
	h.Exceptions, h.Costs = verify.Exceptions("s3/"+f.profile), verify.Costs("s3/"+f.profile)
	drivertest.Run(t, h)
}

// registryOn runs the program on a bucket.
func registryOn(t *testing.T, c s3Cloud, bucket string) string {
	t.Helper()
	return serving(t, c.env(t), byFile(t, c.bare(bucket))).url
}

// wantProbed runs "blobdock probe".
func (f foreign) wantProbed(t *testing.T, c s3Cloud) {
	t.Helper()
	bucket := c.newBucket(t)
	p := launch(t, c.env(t), "probe", c.bare(bucket))
	code := p.code(t, time.Minute)
	out := p.stdout.String()
	t.Logf("probe ends with %d\n%s", code, out)
	if want := min(len(f.lacks), 1); code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	for check, remedy := range f.lacks {
		if !strings.Contains(out, "failed   "+check) || !strings.Contains(out, remedy) {
			t.Errorf("probe does not say of %s: %q", check, remedy)
		}
	}
	if got := strings.Count("\n"+out, "\nfailed "); got != len(f.lacks) {
		t.Errorf("%d checks fail, want %v", got, slices.Sorted(maps.Keys(f.lacks)))
	}
}

// wantServed runs "blobdock serve", and looks at what it says of the store.
func (f foreign) wantServed(t *testing.T, c s3Cloud) {
	t.Helper()
	p := serving(t, c.env(t), byFlags(c.bare(c.newBucket(t)), "--log-level", "info"))
	log := p.stderr.String()
	t.Log(log)
	recognised := strings.Contains(log, "the store is recognised by its replies")
	if recognised != (f.profile != "") || recognised && !strings.Contains(log, "profile="+f.profile) {
		t.Errorf("recognised %v, want profile %q", recognised, f.profile)
	}
	lacking := strings.Contains(log, "does not honour all conditional writes")
	if lacking != (f.conditions != "") || lacking && !strings.Contains(log, `"conditions=`+f.conditions+` is taken"`) {
		t.Errorf("does not honour all conditions %v, want conditions %q", lacking, f.conditions)
	}
	if got := strings.Contains(log, "part_copy=false is taken"); got != f.noPartCopy {
		t.Errorf("does without part copies %v, want %v", got, f.noPartCopy)
	}
}

// pushesOn pushes in all ways.
func pushesOn(t *testing.T, c, found s3Cloud) {
	t.Helper()
	for _, way := range pushWays {
		t.Run(way.name, func(t *testing.T) {
			bucket := c.newBucket(t)
			p := &pusher{t: t,
				registry: func() string { return registryOn(t, c, bucket) },
				process:  func() *process { return serving(t, c.env(t), byFile(t, c.bare(bucket))) },
			}
			way.push(p)
			pull(t, p.base, "pushes", p.content.digest(), p.content.size)
			wantBlob(t, look(t, found, bucket), blobKey(p.content.digest()), p.content.digest())
		})
	}
}

// sweepsOn leaves uploads. "blobdock sweep" finds them too young, and a sweep of all ages
// removes them.
func sweepsOn(t *testing.T, c, found s3Cloud) {
	t.Helper()
	bucket := c.newBucket(t)
	base := registryOn(t, c, bucket)
	kept := content{9 * mib, 1}
	push(t, base, "swept", kept, 0)
	patch(t, begin(t, base, "swept"), content{20 * mib, 2}, 0, 17*mib)
	patch(t, begin(t, base, "swept"), content{20 * mib, 3}, 0, kib)
	inside := look(t, found, bucket)
	p := launch(t, c.env(t), "sweep", c.bare(bucket))
	if code := p.code(t, time.Minute); code != 0 || !strings.HasPrefix(p.stdout.String(), "0 uploads") {
		t.Errorf("sweep of young uploads: exit code %d\n%s%s", code, p.stdout.String(), p.stderr.String())
	}
	time.Sleep(time.Second) // Swift rounds times up
	if _, err := engine(t, inside, 0).Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	wantNoUploads(t, inside)
	pull(t, base, "swept", kept.digest(), kept.size)
}

// copiesOn copies a registry from MinIO to the store, within the store, and back.
func copiesOn(t *testing.T, c, found s3Cloud) {
	t.Helper()
	minio := onMinIO(emulator.Start(t))
	source, there, again, back := minio.newBucket(t), c.newBucket(t), c.newBucket(t), minio.newBucket(t)
	pushed := migrating(t, serve(t, on(t, minio, source)).URL, 2, 20*mib)
	want := sums(t, look(t, minio, source))
	for _, leg := range []struct {
		name     string
		from, to string
		inside   s3Cloud
		bucket   string
	}{
		{"there", minio.url(t, source), c.url(t, there), found, there},
		{"within", c.url(t, there), c.url(t, again), found, again},
		{"back", c.url(t, again), minio.url(t, back), minio, back},
	} {
		if got := finished(t, launch(t, nil, "copy", "--json", leg.from, leg.to)); !got.Complete {
			t.Errorf("%s: %+v", leg.name, got)
		}
		if got := sums(t, look(t, leg.inside, leg.bucket)); !maps.Equal(got, want) {
			t.Errorf("%s: copied\n%q\nwant\n%q", leg.name, got, want)
		}
		wantMigrated(t, serve(t, on(t, leg.inside, leg.bucket)).URL, pushed)
	}
}
