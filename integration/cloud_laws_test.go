package integration_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

// underLaws are the emulators behind all laws of a store, with the profile that a driver
// has for that store.
var underLaws = []store{
	s3UnderLaws("aws", "aws"),
	s3UnderLaws("ceph", "ceph"),
	s3UnderLaws("r2", "r2"),
	{"gcs-laws", func(t testing.TB) cloud {
		g, _ := laws.GCS(t, emulator.StartGCS(t), laws.Options{}, "gcs")
		return gcsCloud{GCS: g, lawful: true}
	}, envGCS},
	{"azure-laws", func(t testing.TB) cloud {
		a, _ := laws.Azure(t, emulator.StartAzure(t), laws.Options{}, "azure")
		return azureCloud{a, true}
	}, envAzure},
}

func s3UnderLaws(set, profile string) store {
	return store{"s3-" + set, func(t testing.TB) cloud {
		s, _ := laws.S3(t, emulator.Start(t), laws.Options{}, set)
		return s3Cloud{s, profile, true}
	}, envS3}
}

// sampled are the tests that run under laws in each run, and not in full runs alone: a
// push and a pull of each kind, resumption by another replica, and what is written first.
var sampled = []string{
	"TestDriver",
	"TestUploadMovesBetweenReplicas",
	"TestSameDigest",
	"TestProbe",
}

// stores are those that a test runs on: the emulators as they are, and the emulators
// behind the laws of the stores that they stand for.
func stores(t *testing.T) []store {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	if full() || slices.Contains(sampled, name) {
		return slices.Concat(clouds, underLaws)
	}
	return clouds
}
