package manifests_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/manifests"
)

// TestDeleteTakesAll leaves nothing of a repository whose manifests are deleted, whatever
// they referred to.
func TestDeleteTakesAll(t *testing.T) {
	for _, cold := range []bool{false, true} {
		b := mem.New()
		r := newReplica(t, b)
		subject := r.pushed("a", nil)
		desc := subject.Descriptor()
		referrer := r.pushed("a", func(m *v1.Manifest) { m.Subject = &desc })
		r.tag("a", "v1", subject)
		if cold {
			r = newReplica(t, b)
		}
		for _, m := range []*manifests.Manifest{subject, referrer} {
			if err := r.repository("a", deleting).Delete(t.Context(), m.Descriptor().Digest); err != nil {
				t.Fatal(err)
			}
			if err := r.repository("a", deleting).Delete(t.Context(), m.Descriptor().Digest); !errors.Is(err, distribution.ErrBlobUnknown) {
				t.Errorf("Delete again: %v, want ErrBlobUnknown", err)
			}
		}
		if left := under(t, b, keys.Manifests("a")); len(left) > 0 {
			t.Errorf("cold %t: left: %v", cold, left)
		}
	}
}

// TestDeleteOfDamage deletes manifests whose link, content or tags are broken.
func TestDeleteOfDamage(t *testing.T) {
	for name, damage := range map[string]func(b driver.Bucket, d digest.Digest){
		"no blob": func(b driver.Bucket, d digest.Digest) {
			_ = b.Delete(t.Context(), keys.Blob(d), driver.DeleteOptions{})
		},
		"another blob": func(b driver.Bucket, d digest.Digest) { write(t, b, keys.Blob(d), "x") },
		"empty link":   func(b driver.Bucket, d digest.Digest) { write(t, b, keys.RevisionLink("a", d), "") },
		"tags of nothing": func(b driver.Bucket, d digest.Digest) {
			_ = b.Delete(t.Context(), keys.RevisionLink("a", d), driver.DeleteOptions{})
			write(t, b, keys.TagLink("a", "v1"), d.String())
			write(t, b, keys.TagIndexLink("a", "v1", d), d.String())
		},
	} {
		b := mem.New()
		d := newReplica(t, b).pushed("a", nil).Descriptor().Digest
		damage(b, d)
		r := newReplica(t, b)
		if err := r.repository("a", deleting).Delete(t.Context(), d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left := under(t, b, keys.Manifests("a")); len(left) > 0 {
			t.Errorf("%s: left: %v", name, left)
		}
	}
}

// TestDeleteDisabled refuses, and removes nothing.
func TestDeleteDisabled(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	m := r.pushed("a", nil)
	r.tag("a", "v1", m)
	repo := r.repository("a", manifests.Options{})
	if err := repo.Delete(t.Context(), m.Descriptor().Digest); !errors.Is(err, distribution.ErrUnsupported) {
		t.Errorf("Delete: %v", err)
	}
	if err := repo.Tags().Untag(t.Context(), "v1"); !errors.Is(err, distribution.ErrUnsupported) {
		t.Errorf("Untag: %v", err)
	}
	if got := under(t, b, keys.Manifests("a")); len(got) != 3 {
		t.Errorf("keys: %v", got)
	}
}

// TestClientGoesAway cancels the client's context at each call in turn. What has begun is
// finished: no tag is left without its manifest, and no link without content.
func TestClientGoesAway(t *testing.T) {
	for _, o := range []mem.Options{{}, {NoBatch: true}} {
		for n := int32(1); ; n++ {
			var calls atomic.Int32
			var goAway context.CancelFunc
			inner := mem.NewWith(o)
			b := driver.Wrap(inner, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if goAway != nil && calls.Add(1) == n {
					goAway()
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				return next(ctx)
			})
			r := newReplica(t, b)
			m := r.image("a", nil)
			d := m.Descriptor().Digest
			repo := r.repository("a", deleting)
			var ctx context.Context
			ctx, goAway = context.WithCancel(t.Context())
			_, err := repo.Put(ctx, m, distribution.WithTag("v1"))
			if err == nil {
				err = repo.Tags().Tag(ctx, "v1", m.Descriptor())
			}
			left := strings.Join(under(t, inner, keys.Repositories()), " ")
			if err == nil && (!strings.Contains(left, keys.TagLink("a", "v1")) || !strings.Contains(left, keys.TagIndexLink("a", "v1", d))) {
				t.Fatalf("call %d of the push: %s", n, left)
			}
			if err == nil {
				if err := repo.Delete(ctx, d); err != nil {
					t.Fatalf("call %d: Delete: %v", n, err)
				}
				if left := under(t, inner, keys.Manifests("a")); len(left) > 0 {
					t.Errorf("call %d: left: %v", n, left)
				}
			} else if strings.Contains(left, "_manifests") {
				t.Errorf("call %d: the push failed with %v, and left %s", n, err, left)
			}
			done := calls.Load() < n
			goAway()
			if done {
				break
			}
		}
	}
}

// TestDeleteRequests counts the requests for one of 2,200 tagged manifests.
func TestDeleteRequests(t *testing.T) {
	b := mem.New()
	var calls meter.Counter
	r := newReplica(t, meter.Wrap(md5ETags{b}, calls.Observe))
	m := r.pushed("a", nil)
	d := m.Descriptor().Digest
	for i := range 2200 {
		other, tag := digest.FromString(fmt.Sprint(i)), fmt.Sprintf("v%d", i)
		if i == 1234 {
			other = d
		}
		write(t, b, keys.TagLink("a", tag), other.String())
		write(t, b, keys.TagIndexLink("a", tag, other), other.String())
	}
	calls.Reset()
	if err := r.repository("a", deleting).Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := calls.Total().Calls; got > 8 {
		t.Errorf("%d requests:\n%s", got, &calls)
	}
	if got := len(under(t, b, keys.Tags("a"))); got != 2199*2 {
		t.Errorf("%d keys of tags are left", got)
	}
}
