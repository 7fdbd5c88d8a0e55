package integration_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

// jurisdiction is a set of laws, and the profile that a driver has for the store which
// makes them.
type jurisdiction struct {
	name    string // of the store in tests
	maker   laws.Store
	sets    []string // and laws by themselves
	profile string   // S3's
}

var jurisdictions = []jurisdiction{
	{"s3-aws", laws.StoreS3, []string{"aws"}, "aws"},
	{"s3-ceph", laws.StoreS3, []string{"ceph"}, "ceph"},
	{"s3-r2", laws.StoreS3, []string{"r2"}, "r2"},
	{"s3-b2", laws.StoreS3, []string{"b2"}, "b2"},
	{"s3-unknown", laws.StoreS3, []string{"conditions-refused", "list-uploads"}, "generic"},
	{"gcs-laws", laws.StoreGCS, []string{"gcs"}, ""},
	{"azure-laws", laws.StoreAzure, []string{"azure"}, ""},
}

// open is the emulator behind the laws.
func (j jurisdiction) open(t testing.TB, o laws.Options) (cloud, *laws.Enforcer) {
	t.Helper()
	switch j.maker {
	case laws.StoreGCS:
		g, e := laws.GCS(t, emulator.StartGCS(t), o, j.sets...)
		return gcsCloud{GCS: g, lawful: true}, e
	case laws.StoreAzure:
		a, e := laws.Azure(t, emulator.StartAzure(t), o, j.sets...)
		return azureCloud{Azure: a, lawful: true}, e
	default:
		s, e := laws.S3(t, emulator.Start(t), o, j.sets...)
		c := s3Cloud{S3: s, profile: j.profile, lawful: true}
		if j.profile == "generic" {
			return c.learn(t), e
		}
		return c, e
	}
}

// store is the emulator behind the laws, as a store that tests run on.
func (j jurisdiction) store(o laws.Options) store {
	env := map[laws.Store]func(testing.TB) []string{laws.StoreS3: envS3, laws.StoreGCS: envGCS, laws.StoreAzure: envAzure}
	return store{j.name, func(t testing.TB) cloud { c, _ := j.open(t, o); return c }, env[j.maker]}
}

// plainly is the emulator that c stands before.
func plainly(t testing.TB, c cloud) cloud {
	t.Helper()
	switch c.(type) {
	case gcsCloud:
		return gcsCloud{GCS: emulator.StartGCS(t)}
	case azureCloud:
		return azureCloud{Azure: emulator.StartAzure(t)}
	default:
		return onMinIO(emulator.Start(t))
	}
}

// sampled are the tests that run under laws in each run, and not in full runs alone.
var sampled = []string{"TestUploadMovesBetweenReplicas", "TestAppendBlobs"}

// stores are those that a test runs on: the emulators as they are, and the emulators
// behind the laws of the stores that they stand for.
func stores(t *testing.T) []store {
	t.Helper()
	return storesWith(t, laws.Options{})
}

func storesWith(t *testing.T, o laws.Options) []store {
	t.Helper()
	if name, _, _ := strings.Cut(t.Name(), "/"); full() || slices.Contains(sampled, name) {
		return slices.Concat(clouds, lawful(o))
	}
	return clouds
}

// lawful are the emulators behind laws.
func lawful(o laws.Options) (all []store) {
	for _, j := range jurisdictions {
		all = append(all, j.store(o))
	}
	return all
}

// unhurried lets one key be written to as often as a test likes that is about something
// else than how a registry writes.
func unhurried() laws.Options {
	rate := laws.KeyRate{Interval: time.Millisecond, Burst: 1000}
	return laws.Options{S3: laws.S3Options{KeyRate: rate}, GCS: laws.GCSOptions{KeyRate: rate}}
}
