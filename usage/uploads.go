package usage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// upload is one upload's folder.
type upload struct {
	objects Count
	touched time.Time // the youngest object's
}

func (u *upload) add(o driver.Object) {
	u.objects.add(o.Size)
	if o.ModTime.After(u.touched) {
		u.touched = o.ModTime
	}
}

// uploads lists the uploads under way.
func (r *run) uploads(ctx context.Context) error {
	var at string
	var u upload
	done := int64(0)
	for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: r.layout.Uploads()}) {
		if err != nil {
			return fmt.Errorf("uploads: %w", err)
		}
		done++
		r.options.Progress(Progress{Unfinished, done})
		folder, _, ok := strings.Cut(strings.TrimPrefix(e.Key, r.layout.Uploads()), "/")
		if !ok {
			r.report.Others.add(e.Size)
			continue
		}
		if folder != at {
			r.countUpload(u)
			at, u = folder, upload{}
		}
		u.add(e.Object)
	}
	r.countUpload(u)
	return nil
}

// countUpload counts an upload, if it has objects.
func (r *run) countUpload(u upload) {
	if u.objects.Objects == 0 {
		return
	}
	n := &r.report.Uploads
	n.All++
	n.Stored.Objects += u.objects.Objects
	n.Stored.Bytes += u.objects.Bytes
	if !r.after(u.touched, r.options.UploadAge) {
		n.Abandoned++
		n.Reclaimable.Objects += u.objects.Objects
		n.Reclaimable.Bytes += u.objects.Bytes
	}
}
