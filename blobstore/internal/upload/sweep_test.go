package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// skewed is a bucket as a process sees it whose clock is behind by so much: all that the
// store tells is newer.
type skewed struct {
	driver.Bucket
	by time.Duration
}

func (s skewed) Stat(ctx context.Context, key string) (driver.Object, error) {
	o, err := s.Bucket.Stat(ctx, key)
	o.ModTime = o.ModTime.Add(s.by)
	return o, err
}

func (s skewed) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	obj, err := s.Bucket.Put(ctx, key, body, o)
	obj.ModTime = obj.ModTime.Add(s.by)
	return obj, err
}

func (s skewed) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	rd, err := s.Bucket.Open(ctx, key, r, o)
	if err == nil {
		rd.Object.ModTime = rd.Object.ModTime.Add(s.by)
	}
	return rd, err
}

func (s skewed) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	p, err := s.Bucket.ListPage(ctx, q)
	for i := range p.Items {
		p.Items[i].ModTime = p.Items[i].ModTime.Add(s.by)
	}
	return p, err
}

// TestSweepAgainstRequests has an upload go on while a sweep makes each of its calls. The
// upload is as old as the replica still accepts, and the clocks of replica and sweeper are
// wrong by as much as the day between them allows.
func TestSweepAgainstRequests(t *testing.T) {
	const behind, ahead = 12 * time.Hour, -11 * time.Hour
	for _, size := range []int{100, 2*testPart + 100} {
		for _, what := range []string{"PATCH", "PUT", "PATCH from the state before"} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%s/after %t", size, what, after), func(t *testing.T) {
					for n, more := 1, true; more; n++ {
						synctest.Test(t, func(t *testing.T) {
							var request func()
							calls := 0
							o := small(mem.Imitations()["minio"])
							store := mem.NewWith(o)
							replica := New(skewed{store, behind}, testOptions(memory.New(1<<20)))
							sweeper := New(driver.Wrap(skewed{store, ahead}, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
								if calls++; calls != n {
									return next(ctx)
								}
								if after {
									defer request()
								} else {
									request()
								}
								return next(ctx)
							}), testOptions(memory.New(1<<20)))
							content := bytesOf(2*size, 1)
							before := patch(t, replica, post(t, replica), content[:size])
							id := patch(t, replica, before, content[size:])
							first := time.Now()
							abandoned := patch(t, replica, post(t, replica), content)
							request = func() {
								switch what {
								case "PATCH":
									id = patch(t, replica, id, []byte("more"))
									content = append(content, "more"...)
								case "PUT":
									if err := put(t, replica, id, digest.FromBytes(content), nil); err != nil {
										t.Errorf("PUT: %v", err)
									}
								default:
									id = patch(t, replica, before, []byte("more"))
									content = slices.Concat(content[:size], []byte("more"))
								}
							}
							time.Sleep(time.Until(first.Add(DefaultMaxAge + behind - time.Minute)))
							if _, err := sweeper.Sweep(t.Context(), SweepOptions{Age: DefaultMaxAge + 24*time.Hour}); err != nil {
								t.Error(err)
							}
							more = calls >= n
							if !more {
								return
							}
							fresh := New(skewed{store, behind}, testOptions(memory.New(1<<20)))
							if err := put(t, fresh, id, digest.FromBytes(content), nil); err != nil {
								t.Errorf("what was acknowledged during the sweep: %v", err)
							}
							wantBlob(t, store, content)
							// The replica refuses an upload before the sweep takes it.
							time.Sleep(12 * time.Hour)
							if _, err := replica.Resume(t.Context(), "repo", abandoned, Request{Length: -1}); !errors.Is(err, ErrUnknown) {
								t.Errorf("Resume of an old upload: %v", err)
							}
							if _, err := sweeper.Sweep(t.Context(), SweepOptions{Age: DefaultMaxAge + 24*time.Hour - ahead}); err != nil {
								t.Error(err)
							}
							wantNothingLeft(t, store, replica, fresh, sweeper)
						})
						if t.Failed() {
							t.Fatalf("call %d", n)
						}
					}
				})
			}
		}
	}
}

// TestSweepNeighbour sweeps an abandoned upload beside one of the same content that goes on.
func TestSweepNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, b, _ := on(t, "minio", pass)
		content := bytesOf(4*testPart+100, 1)
		d := digest.FromBytes(content)
		live := patch(t, e, post(t, e), content[:2*testPart])
		dead := patch(t, e, post(t, e), content[:2*testPart])
		time.Sleep(2 * time.Hour)
		live = patch(t, e, live, content[2*testPart:])
		time.Sleep(time.Minute)
		if n, err := e.Sweep(t.Context(), SweepOptions{Age: time.Hour, DryRun: true}); n != 1 || err != nil {
			t.Fatalf("dry run: %d, %v", n, err)
		}
		if n, err := e.Sweep(t.Context(), SweepOptions{Age: time.Hour}); n != 1 || err != nil {
			t.Fatalf("sweep: %d, %v", n, err)
		}
		fresh := closed(t, New(b, testOptions(memory.New(1<<20))))
		if _, err := fresh.Resume(t.Context(), "repo", dead, Request{Length: -1}); !errors.Is(err, ErrUnknown) {
			t.Errorf("the abandoned upload: %v", err)
		}
		if err := put(t, fresh, live, d, nil); err != nil {
			t.Errorf("the one that goes on: %v", err)
		}
		wantBlob(t, b, content)
	})
}

// TestSweepStates has a sweep die after each of its calls. It removes states before pieces,
// so that no state names what is gone, and the next sweep removes the rest.
func TestSweepStates(t *testing.T) {
	for n, more := 1, true; more; n++ {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			var keys []string
			dying, b, _ := on(t, "plain", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if calls++; calls > n {
					return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
				}
				if c.Op == driver.OpDelete {
					keys = append(keys, c.Key)
				}
				return next(ctx)
			})
			e := New(b, testOptions(memory.New(1<<20)))
			content := bytesOf(3*testPart+100, 1)
			id := patch(t, e, post(t, e), content)
			time.Sleep(2 * time.Hour)
			_, err := dying.Sweep(t.Context(), SweepOptions{Age: time.Hour})
			more = err != nil
			if len(keys) > 0 {
				if !isState(keys[0]) {
					t.Errorf("%s was removed first", keys[0])
				}
				fresh := closed(t, New(b, testOptions(memory.New(1<<20))))
				if err := put(t, fresh, id, digest.FromBytes(content), nil); err != nil && !errors.Is(err, ErrUnknown) {
					t.Errorf("after %d calls: %v", n, err)
				}
			}
			wantNothingLeft(t, b, e)
		})
	}
}
