package gcs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// mayDescribe is no part of the role that the registry needs.
// https://cloud.google.com/storage/docs/access-control/iam-permissions
const mayDescribe = "storage.buckets.get (role Storage Legacy Bucket Reader)"

// settings describes the bucket by one request.
// https://cloud.google.com/storage/docs/json_api/v1/buckets#resource
func (b *Bucket) settings(ctx context.Context) ([]driver.BucketSetting, error) {
	ctx, c := begin(ctx, driver.OpStat, "", driver.Cond{})
	r := b.buckets.Get(b.name).Projection("noAcl").Context(ctx)
	if b.config.UserProject != "" {
		r.UserProject(b.config.UserProject)
	}
	var s cloud.Settings
	got, err := r.Do()
	if err != nil {
		err = s.Refused("the bucket", mayDescribe, c.fail(ctx, err))
		return s, err
	}
	b.kept(&s, got)
	b.placed(&s, got)
	return s, nil
}

// kept is what becomes of objects that are deleted or replaced.
func (b *Bucket) kept(s *cloud.Settings, got *storage.Bucket) {
	if p := got.SoftDeletePolicy; p != nil && p.RetentionDurationSeconds > 0 {
		s.Add(driver.SoftDelete, seconds(p.RetentionDurationSeconds), "what is deleted and replaced is billed for that long: gcloud storage buckets update gs://BUCKET --clear-soft-delete")
	} else {
		s.OnOff(driver.SoftDelete, false, "")
	}
	s.OnOff(driver.ObjectVersioning, got.Versioning != nil && got.Versioning.Enabled,
		"replaced tags and what garbage collection removes stay: gcloud storage buckets update gs://BUCKET --no-versioning, or a lifecycle rule on daysSinceNoncurrentTime")
	switch p := got.RetentionPolicy; {
	case p != nil && p.RetentionPeriod > 0:
		s.Add("retention policy", seconds(p.RetentionPeriod), retained)
	case got.DefaultEventBasedHold:
		s.Add("retention policy", "a default event-based hold", held)
	default:
		s.OnOff("retention policy", false, "")
	}
}

// placed is where and how objects are kept, and who may see them and pays.
func (b *Bucket) placed(s *cloud.Settings, got *storage.Bucket) {
	autoclass := got.Autoclass != nil && got.Autoclass.Enabled
	s.OnOff("Autoclass", autoclass, "objects cost a fee for being watched, blobs that nobody pulls get cheaper, and reads are not charged; storage_class has no effect")
	if !autoclass {
		advice := ""
		if got.StorageClass != "STANDARD" && got.StorageClass != "" {
			advice = "uploads leave objects of it that are billed for its minimum time: make STANDARD the default, and set storage_class, which is of blobs alone"
		}
		s.Add("default class", got.StorageClass, advice)
	}
	s.OnOff("hierarchical namespace", got.HierarchicalNamespace != nil && got.HierarchicalNamespace.Enabled,
		"the registry needs no folders, and they are left behind empty: use a bucket without one")
	uniform := got.IamConfiguration != nil && got.IamConfiguration.UniformBucketLevelAccess != nil && got.IamConfiguration.UniformBucketLevelAccess.Enabled
	if uniform {
		s.Add("uniform access", "on", "")
	} else {
		s.Add("uniform access", "off", "objects may have ACLs of their own, which the bucket's permissions do not show: gcloud storage buckets update gs://BUCKET --uniform-bucket-level-access")
	}
	location := strings.TrimSpace(got.Location + " (" + got.LocationType + ")")
	advice := ""
	if got.LocationType == "multi-region" || got.LocationType == "dual-region" {
		advice = "writes are billed for replication, and requests travel further than in a bucket of the registry's own region"
	}
	s.Add("location", location, advice)
	pays := got.Billing != nil && got.Billing.RequesterPays
	switch {
	case pays && b.config.UserProject == "":
		s.Add("requester pays", "on", "set user_project")
	default:
		s.OnOff("requester pays", pays, "")
	}
}

// seconds is a time in days, where it is whole days.
func seconds(n int64) string {
	const day = 24 * 60 * 60
	if n%day == 0 {
		return fmt.Sprintf("%d days", n/day)
	}
	return (time.Duration(n) * time.Second).String()
}
