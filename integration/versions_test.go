package integration_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscreds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
)

// TestVersionedBucket deletes by version ids, which MinIO has in buckets with versions.
func TestVersionedBucket(t *testing.T) {
	t.Parallel()
	s := emulator.Start(t)
	bucket := s.NewBucket(t)
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint), Region: s.Region, UsePathStyle: true,
		Credentials: awscreds.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
	_, err := client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := look(t, onMinIO(s), bucket)
	seen := map[string]bool{}
	put := func(key string) driver.Object {
		t.Helper()
		obj, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader("same"), 0, 4), driver.WriteOptions{})
		if err != nil || obj.Version == "" || seen[obj.Version] {
			t.Fatalf("Put: %+v, %v", obj, err)
		}
		seen[obj.Version] = true
		return obj
	}
	want := func(key, version string) {
		t.Helper()
		obj, err := b.Stat(t.Context(), key)
		if version == "" && errors.Is(err, driver.NotFound) {
			return
		}
		if err != nil || obj.Version != version {
			t.Errorf("%s has the version %q, want %q: %v", key, obj.Version, version, err)
		}
	}
	remove := func(key string, o driver.DeleteOptions) {
		t.Helper()
		if err := b.Delete(t.Context(), key, o); err != nil {
			t.Errorf("Delete(%q, %+v): %v", key, o, err)
		}
	}
	old, next := put("key"), put("key")
	remove("key", driver.DeleteOptions{IfVersion: old.Version})
	want("key", next.Version)
	remove("key", driver.DeleteOptions{IfVersion: next.Version, NotAfter: time.Now().Add(time.Minute)})
	want("key", "")
	one, two, three := put("one"), put("two"), put("two")
	if err := b.Features().DeleteBatch(t.Context(), []driver.ObjectRef{{Key: "one", Version: one.Version}, {Key: "two", Version: two.Version}}); err != nil {
		t.Error(err)
	}
	want("one", "")
	want("two", three.Version)
	remove("two", driver.DeleteOptions{IfVersion: three.Version})
	left, err := client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket})
	if err != nil || len(left.Versions) != 0 || len(left.DeleteMarkers) != 0 {
		t.Errorf("%d versions and %d delete markers are left: %v", len(left.Versions), len(left.DeleteMarkers), err)
	}
}

// TestDeleteArrivesLate holds a delete up until its deadline has passed. The stores
// refuse it, and what was written since stays. fake-gcs-server looks at no signatures.
func TestDeleteArrivesLate(t *testing.T) {
	onEach(t, func(t *testing.T, c cloud) {
		if isGCS(c) {
			return
		}
		slow, proxy := c.through(t)
		bucket := c.newBucket(t)
		b, direct := look(t, slow, bucket), edit(t, c, bucket)
		write := func() {
			t.Helper()
			if _, err := direct.Put(t.Context(), "key", io.NewSectionReader(strings.NewReader("x"), 0, 1), driver.WriteOptions{}); err != nil {
				t.Error(err)
			}
		}
		write()
		proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodDelete {
				write()
				time.Sleep(3100 * time.Millisecond)
			}
			next.ServeHTTP(w, r)
		})
		err := b.Delete(t.Context(), "key", driver.DeleteOptions{NotAfter: time.Now().Add(2 * time.Second)})
		if driver.KindOf(err) != driver.Invalid || driver.OutcomeUnknown(err) {
			t.Errorf("got %v, want it refused", err)
		}
		if _, err := direct.Stat(t.Context(), "key"); err != nil {
			t.Errorf("the object is gone: %v", err)
		}
	})
}
