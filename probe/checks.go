package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// checks are all there are, in the order in which they build on each other.
var checks = []check{
	{name: "list", do: list},
	{name: "put", do: put},
	{name: "stat", needs: "put", do: stat},
	{name: "read", needs: "put", do: read},
	{name: "clock", needs: "stat", do: clock},
	{name: "latency", needs: "stat", do: latency},
	{name: "second write", rows: secondWrite},
	{name: "join objects", needs: "put", unused: func(p *run) string {
		if p.features.Concat == nil {
			return "the store joins the parts of uploads"
		}
		return ""
	}, do: join},
	{name: "upload in parts", unused: noUploads, do: upload},
	{name: "complete upload", needs: "upload in parts", unused: noUploads, do: complete},
	{name: "part numbers", needs: "complete upload", unused: noUploads, do: partNumbers},
	{name: "list uploads", unused: noUploads, do: listUploads},
	{name: "abort upload", needs: "upload in parts", unused: noUploads, do: abort},
	{name: "copy", needs: "put", unused: func(p *run) string {
		if p.features.Copy == nil {
			return "the store copies nothing"
		}
		return ""
	}, do: copyObject},
	{name: "copy part", needs: "upload in parts", unused: func(p *run) string {
		if p.features.CopyPart == nil {
			return "not asked of this store; bytes that are joined go through this process"
		}
		return ""
	}, do: partCopies},
	{name: "signed URL", needs: "put", unused: func(p *run) string {
		if p.features.Sign == nil {
			return "the store signs no URLs; pulls are streamed"
		}
		return ""
	}, do: signed},
	{name: "conditions", needs: "put", unused: func(p *run) string {
		if c := p.features.Conds; c.Put|c.Complete|c.Copy|c.Delete == driver.NoCond {
			return "not asked of this store; of two writers that race the last one stands, which loses progress and corrupts nothing"
		}
		return ""
	}, do: conditions},
	{name: "settings", rows: settings},
	{name: "delete batch", needs: "put", unused: func(p *run) string {
		if p.features.DeleteBatch == nil {
			return "the store deletes one by one"
		}
		return ""
	}, do: deleteBatch},
	{name: "delete", needs: "put", do: remove},
}

// looks are the checks that write nothing.
var looks = []check{
	{name: "list", do: list},
	{name: "clock", needs: "list", unused: func(p *run) string {
		if p.features.Now == nil {
			return "the store has the clock of this machine"
		}
		return ""
	}, do: clockOfReplies},
	{name: "list uploads", unused: noUploads, do: listUploads},
	{name: "settings", rows: settings},
}

func noUploads(p *run) string {
	if p.features.Uploads == nil {
		return "the store has no multipart uploads; objects are joined"
	}
	return ""
}

func list(ctx context.Context, p *run) (string, error) {
	if _, err := p.bucket.ListPage(ctx, driver.ListRequest{Prefix: layout.DefaultRoot + "/", Limit: 1}); err != nil {
		return "", err
	}
	return p.features.Name, nil
}

func put(ctx context.Context, p *run) (string, error) {
	began := time.Now()
	obj, err := p.put(ctx, p.key("object"), content, driver.WriteOptions{ContentType: "text/plain"})
	p.object = obj
	if !obj.ModTime.IsZero() {
		p.behind = began.Add(time.Since(began) / 2).Sub(obj.ModTime)
	}
	return "", err
}

func stat(ctx context.Context, p *run) (string, error) {
	obj, err := p.bucket.Stat(ctx, p.key("object"))
	if err == nil && obj.Size != int64(len(content)) {
		err = fmt.Errorf("%d bytes were written, the store has %d: %w", len(content), obj.Size, driver.Corrupt)
	}
	if err == nil && p.object.ModTime.IsZero() {
		p.behind = time.Since(obj.ModTime)
	}
	return "", err
}

func read(ctx context.Context, p *run) (string, error) { return "", p.read(ctx, p.key("object")) }

// skew is what still leaves room to the 15 minutes that stores take.
const skew = 5 * time.Minute

func clock(_ context.Context, p *run) (string, error) {
	off := p.behind.Round(time.Second)
	if off.Abs() > skew {
		return "", fmt.Errorf("this machine's clock and the store's differ by %v, which signatures do not survive: set the wrong one: %w", off.Abs(), driver.Invalid)
	}
	return fmt.Sprintf("differs from the store's by %v", off.Abs()), nil
}

// clockOfReplies is clock by the Date of the replies so far, where nothing was written.
func clockOfReplies(ctx context.Context, p *run) (string, error) {
	p.behind = time.Since(p.features.Now())
	return clock(ctx, p)
}

func latency(ctx context.Context, p *run) (string, error) {
	var took []time.Duration
	for range 5 {
		began := time.Now()
		if _, err := p.bucket.Stat(ctx, p.key("object")); err != nil {
			return "", err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return fmt.Sprintf("%v for a HEAD, the median of 5", took[2].Round(100*time.Microsecond)), nil
}

// join makes an object of one object and itself, and deletes nothing.
func join(ctx context.Context, p *run) (string, error) {
	key := p.key("joined")
	p.made = append(p.made, key)
	src := driver.Object{Key: p.object.Key, Size: p.object.Size}
	obj, err := p.features.Concat(ctx, driver.ConcatRequest{Key: key, Sources: []driver.Object{src, src}})
	if err == nil && obj.Size != 2*p.object.Size {
		err = fmt.Errorf("%d bytes were joined to %d: %w", 2*p.object.Size, obj.Size, driver.Corrupt)
	}
	return "", err
}

func upload(ctx context.Context, p *run) (string, error) {
	return "", p.begin(ctx, p.key("_uploads/parts"))
}

// begin leaves an upload of one part in p.
func (p *run) begin(ctx context.Context, key string) error {
	p.made = append(p.made, key)
	u, err := p.features.Uploads.CreateUpload(ctx, key, driver.WriteOptions{})
	if err != nil {
		return err
	}
	p.upload = u
	part, err := p.features.Uploads.PutPart(ctx, u, 1, section(content))
	p.parts = []driver.Part{part}
	return err
}

func complete(ctx context.Context, p *run) (string, error) {
	_, err := p.features.Uploads.CompleteUpload(ctx, p.upload, p.parts, driver.Cond{})
	if err != nil {
		return "", err
	}
	p.upload = driver.Upload{}
	return "", p.read(ctx, p.key("_uploads/parts"))
}

func conditions(ctx context.Context, p *run) (string, error) {
	honoured, gaps, err := p.conditions(ctx)
	if err != nil || len(gaps) == 0 {
		return honoured.List() + " are honoured", err
	}
	all := make([]error, len(gaps))
	for i, g := range gaps {
		all[i] = fmt.Errorf("%s: %w", g, driver.Unsupported)
	}
	return "set conditions=" + honoured.List() + ", which serve does by itself", errors.Join(all...)
}

func listUploads(ctx context.Context, p *run) (string, error) {
	_, err := p.features.Uploads.UploadsPage(ctx, driver.ListRequest{Prefix: p.folder + "/", Limit: 1})
	return "for the sweeper", err
}

func abort(ctx context.Context, p *run) (string, error) {
	if p.upload.ID == "" {
		if err := p.begin(ctx, p.key("_uploads/aborted")); err != nil {
			return "", err
		}
	}
	err := p.features.Uploads.AbortUpload(ctx, p.upload)
	if err == nil {
		p.upload = driver.Upload{}
	}
	return "", err
}

func copyObject(ctx context.Context, p *run) (string, error) {
	key := p.key("copy")
	p.made = append(p.made, key)
	_, err := p.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: p.key("object")}, Dst: key})
	if err != nil {
		return "", err
	}
	return "", p.read(ctx, key)
}

// signed fetches its own signed URL, and looks whether it can be had without.
func signed(ctx context.Context, p *run) (string, error) {
	u, err := p.features.Sign(ctx, driver.SignRequest{Method: http.MethodGet, Key: p.key("object"), Expires: time.Minute, ContentType: "application/octet-stream"})
	if err != nil {
		return "", err
	}
	status, body, err := p.fetch(ctx, u.URL)
	switch {
	case err != nil:
		return "", driver.NewError(driver.OpSign, p.key("object"), fmt.Errorf("%s: %w: %w", u, err, driver.Unavailable))
	case status != http.StatusOK:
		return "", driver.NewError(driver.OpSign, p.key("object"), fmt.Errorf("%s answers %s: %w", u, http.StatusText(status), driver.Denied))
	case body != content:
		return "", driver.NewError(driver.OpSign, p.key("object"), fmt.Errorf("%s gives something else than was written: %w", u, driver.Corrupt))
	}
	bare, _, _ := strings.Cut(u.URL, "?")
	if status, _, err := p.fetch(ctx, bare); err == nil && status == http.StatusOK {
		return "fetched; and anybody can read the object without a signature", nil
	}
	return "fetched", nil
}

// fetch reads a URL through the driver's own transport: a store may have a certificate of a
// private authority.
func (p *run) fetch(ctx context.Context, url string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", errors.New("no URL that can be fetched")
	}
	client := http.Client{Transport: p.features.Transport}
	res, err := client.Do(req)
	if err != nil {
		// The text repeats the URL.
		for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
			err = inner
		}
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, string(b), err
}

func deleteBatch(ctx context.Context, p *run) (string, error) {
	var keys []string
	for _, name := range []string{"batch/1", "batch/2"} {
		if _, err := p.put(ctx, p.key(name), content, driver.WriteOptions{}); err != nil {
			return "", err
		}
		keys = append(keys, p.key(name))
	}
	return "", p.features.DeleteBatch(ctx, driver.Refs(keys...))
}

func remove(ctx context.Context, p *run) (string, error) {
	for _, key := range p.made {
		if err := p.bucket.Delete(ctx, key, driver.DeleteOptions{}); err != nil {
			return "what the probe wrote stays below " + p.folder, err
		}
	}
	p.made = nil
	return "", nil
}
