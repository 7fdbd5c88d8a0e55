package registry

import (
	"context"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/pulls"
)

// recording is the middleware's option "pulls": whether it is recorded when manifests were pulled,
// for retention policies that ask for it.
//
//	pulls:
//	  enabled: true
//	  interval: 1h
type recording struct {
	enabled  bool
	interval time.Duration
}

func recordingOf(p *driver.Params) recording {
	return recording{
		enabled:  p.Bool("enabled", true),
		interval: p.Duration("interval", time.Hour, time.Minute, 24*time.Hour),
	}
}

const (
	// compactEvery is how often the records of all replicas become one.
	compactEvery = 24 * time.Hour
	// lastFlush is how long the end of the registry waits for the record to be written.
	lastFlush = 10 * time.Second
)

// start records pulls until ctx ends.
func (c recording) start(ctx context.Context, store *blobstore.Store) *pulls.Recorder {
	f := friend.Of(store)
	r := pulls.NewRecorder(store.Bucket(), f.Layout())
	go func() {
		for ctx.Err() == nil {
			if err := r.Flush(ctx); err != nil && ctx.Err() == nil {
				f.Log().WarnContext(ctx, "pulls are not recorded yet", "cause", err)
			}
			select {
			case <-ctx.Done():
			case <-r.Full:
			case <-time.After(c.interval):
			}
		}
	}()
	go periodically(ctx, store, "pulls", compactEvery, func(ctx context.Context) error {
		return pulls.Compact(ctx, store.Bucket(), f.Layout())
	})
	return r
}

// notePull notes that a client has pulled the manifest, by tag or by digest.
func (n *namespace) notePull(ctx context.Context, repository, ref string) {
	if a, ok := ctx.Value(answerKey{}).(*answer); ok && a.pull != nil && n.pulls != nil {
		n.pulls.Note(repository, ref)
	}
}
