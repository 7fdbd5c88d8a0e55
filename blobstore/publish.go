package blobstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// publication brings the content of one upload to its digest key.
type publication struct {
	store    *Store
	stage    *stage
	digest   digest.Digest
	key      string
	verified bool          // the content is known to have the digest
	replace  bool          // a blob that is there already is not trusted, whatever its size
	sha256   digest.Digest // of the content, "" when it was not computed

	parts []driver.Part // of stage.upload, complete
}

// strategies are the ways to publish, the first that fits is taken.
//
//	put       all content is in the buffer: one request, checked by the store
//	direct    the parts were sent to the digest key: complete them there
//	retarget  complete the parts at the digest key, whatever key they were for
//	rename    complete them where they are, then rename
//	copy      complete them where they are, then let the store copy
//	stream    complete them where they are, then copy through this process
var strategies = []struct {
	name string
	fits func(*publication) bool
	run  func(*publication, context.Context) error
}{
	{"put", func(p *publication) bool { return len(p.stage.parts) == 0 && p.stage.upload.ID == "" }, (*publication).put},
	{"direct", func(p *publication) bool { return p.verified && p.stage.upload.Key == p.key }, (*publication).direct},
	{"retarget", func(p *publication) bool { return p.verified && p.store.features.Retarget != nil }, (*publication).retarget},
	{"rename", func(p *publication) bool { return p.staged() && p.store.features.Rename != nil }, (*publication).rename},
	{"copy", func(p *publication) bool {
		return p.staged() && (p.store.features.Copy != nil || p.store.features.CopyPart != nil)
	}, (*publication).copy},
	{"stream", func(p *publication) bool { return p.staged() }, (*publication).stream},
}

// staged reports whether the parts can be completed at a key of the upload's own.
func (p *publication) staged() bool {
	return p.stage.upload.Key == p.store.privateKey(p.stage.sess)
}

func (p *publication) run(ctx context.Context) error {
	for _, s := range strategies {
		if s.fits(p) {
			return p.unlessDone(ctx, s.run(p, ctx))
		}
	}
	// The parts are at the key of another digest, which the upload was said to
	// have and has not. They can't be taken away from there.
	return distribution.ErrBlobInvalidDigest{Digest: p.digest, Reason: fmt.Errorf("upload was begun as %s", p.stage.upload.Key)}
}

// unlessDone is err, but nil when an earlier Commit of this upload, the answer to
// which was lost, has already published it: then its parts are gone.
func (p *publication) unlessDone(ctx context.Context, err error) error {
	if !p.verified || p.replace || !spent(err) {
		return err
	}
	if obj, serr := p.store.bucket.Stat(ctx, p.key); serr != nil || obj.Size != p.stage.size {
		return err
	}
	return nil
}

// spent reports whether err may come from parts that were put together before: then
// they are gone, or, in Azure, not those that a new list can name.
func spent(err error) bool {
	return errors.Is(err, driver.NotFound) || errors.Is(err, driver.Mismatch)
}

func (p *publication) put(ctx context.Context) error {
	if err := p.stage.ensureTail(ctx); err != nil {
		return err
	}
	var content []byte
	if p.stage.buf != nil {
		content = p.stage.buf.bytes()
	}
	if !p.verified {
		if err := p.compare(p.digest.Algorithm().FromBytes(content)); err != nil {
			return err
		}
	}
	return p.store.putBlob(ctx, p.digest, p.sha256, content, p.offered(p.store.features.Conds.Put))
}

// offered is which of the conditions that the store honours are to guard what is
// at the digest key.
func (p *publication) offered(c driver.CondSet) driver.CondSet {
	if p.replace {
		return driver.NoCond
	}
	return c
}

// putBlob stores content under d by one request. sum is its sha256, if known, and
// offered the conditions that place may make.
func (s *Store) putBlob(ctx context.Context, d, sum digest.Digest, content []byte, offered driver.CondSet) error {
	o := driver.WriteOptions{ContentType: contentType}
	if sum != "" {
		o.SHA256, _ = hex.DecodeString(sum.Encoded())
	}
	key := s.layout.Blob(d)
	return s.place(ctx, key, int64(len(content)), offered, func(c driver.Cond) error {
		o.Cond = c
		_, err := s.bucket.Put(ctx, key, section(content), o)
		return err
	})
}

func (p *publication) direct(ctx context.Context) error {
	if err := p.lastPart(ctx); err != nil {
		return err
	}
	completed := false
	err := p.store.place(ctx, p.key, p.stage.size, p.offered(p.store.features.Conds.Complete), func(c driver.Cond) error {
		_, err := p.store.bucket.CompleteUpload(ctx, p.stage.upload, p.parts, c)
		completed = err == nil
		return err
	})
	if err == nil && !completed {
		p.store.abort(ctx, p.stage.upload) // the blob was there already
	}
	return err
}

func (p *publication) retarget(ctx context.Context) error {
	if err := p.lastPart(ctx); err != nil {
		return err
	}
	completed := false
	err := p.store.place(ctx, p.key, p.stage.size, p.offered(p.store.features.Conds.Retarget), func(c driver.Cond) error {
		_, err := p.store.features.Retarget(ctx, p.stage.upload, p.parts, p.key, c)
		completed = err == nil
		return err
	})
	if err == nil && !completed {
		p.store.abort(ctx, p.stage.upload)
	}
	return err
}

func (p *publication) rename(ctx context.Context) error {
	src, err := p.complete(ctx)
	if err != nil {
		return err
	}
	return p.store.place(ctx, p.key, p.stage.size, p.store.features.Conds.Rename, func(c driver.Cond) error {
		_, err := p.store.features.Rename(ctx, src, p.key, c)
		return err
	})
}

func (p *publication) copy(ctx context.Context) error {
	src, err := p.complete(ctx)
	if err != nil {
		return err
	}
	f := p.store.features
	conds, o := f.Conds.Copy, driver.WriteOptions{} // the type comes along
	if f.Copy == nil || (f.CopyMax > 0 && p.stage.size > f.CopyMax) {
		conds, o.ContentType = f.Conds.Complete, contentType
	}
	if !conds.Allows(driver.Cond{IfAbsent: true}) {
		// The copy would overwrite a good blob, which costs time and breaks readers
		// that hold on to its ETag. One look saves both.
		if obj, err := p.store.bucket.Stat(ctx, p.key); err == nil && obj.Size == p.stage.size {
			return nil
		}
	}
	return p.store.place(ctx, p.key, p.stage.size, conds, func(c driver.Cond) error {
		o.Cond = c
		_, err := driver.Copy(ctx, p.store.bucket, src, p.stage.size, p.key, o, p.store.CopyPlan())
		p.store.strays.take(p.key) // found by age alone, like all uploads to a digest key
		return err
	})
}

// stream is for a store that offers nothing to move bytes with.
func (p *publication) stream(ctx context.Context) error {
	src, err := p.complete(ctx)
	if err != nil {
		return err
	}
	p.stage.release(ctx) // all content is in src; two buffers at once could starve
	r := p.store.openObject(ctx, driver.Object{Key: src.Key, Size: p.stage.size, ETag: src.ETag})
	defer r.Close()
	u, err := p.store.bucket.CreateUpload(ctx, p.key, driver.WriteOptions{ContentType: contentType})
	if err != nil {
		return err
	}
	parts, err := p.refill(ctx, u, r)
	completed := false
	if err == nil {
		err = p.store.place(ctx, p.key, p.stage.size, p.store.features.Conds.Complete, func(c driver.Cond) error {
			_, err := p.store.bucket.CompleteUpload(ctx, u, parts, c)
			completed = err == nil
			return err
		})
	}
	if !completed && !driver.MayHave(err) {
		p.store.abort(ctx, u)
	}
	return err
}

// refill uploads r as the parts of u, one after the other.
func (p *publication) refill(ctx context.Context, u driver.Upload, r io.Reader) ([]driver.Part, error) {
	plan, err := p.store.features.Parts.Plan(p.store.options.PartSize, p.store.options.maxPart(), p.stage.size)
	if err != nil {
		return nil, err
	}
	buf, err := p.store.buffer(ctx, plan.Size(1), true)
	if err != nil {
		return nil, err
	}
	defer buf.done()
	var parts []driver.Part
	for left := p.stage.size; left > 0; left -= int64(buf.n) {
		buf.n = int(min(left, plan.Size(1)))
		if _, err := io.ReadFull(r, buf.bytes()); err != nil {
			return nil, err
		}
		part, err := p.store.bucket.PutPart(ctx, u, len(parts)+1, section(buf.bytes()))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// complete makes the parts an object at the upload's own key, and verifies it
// where that could not be done on the way.
func (p *publication) complete(ctx context.Context) (driver.Source, error) {
	u := p.stage.upload
	var obj driver.Object
	others := false // perhaps, who were not necessarily sent the same bytes
	err := p.lastPart(ctx)
	if err == nil {
		obj, err = p.store.bucket.CompleteUpload(ctx, u, p.parts, driver.Cond{})
	}
	if err != nil && (driver.MayHave(err) || spent(err)) {
		// Its reply was lost, now or in an earlier Commit of this upload, that of a
		// process perhaps which had got other bytes and vanished.
		if there, serr := p.store.bucket.Stat(ctx, u.Key); serr == nil && there.Size == p.stage.size {
			obj, others, err = there, spent(err), nil
		}
	}
	if err != nil {
		return driver.Source{}, err
	}
	if !p.verified || others {
		if err := p.rehash(ctx, obj); err != nil {
			return driver.Source{}, err
		}
	}
	return driver.Source{Key: u.Key, ETag: obj.ETag}, nil
}

// rehash reads the completed object: the digest's algorithm was not announced
// when the bytes came by.
func (p *publication) rehash(ctx context.Context, obj driver.Object) error {
	r := p.store.openObject(ctx, obj)
	defer r.Close()
	h := newHashes(p.digest.Algorithm())
	if _, err := io.Copy(h, r); err != nil {
		return err
	}
	got, _ := h.digest(p.digest.Algorithm())
	return p.compare(got)
}

func (p *publication) compare(got digest.Digest) error {
	if got != p.digest {
		return distribution.ErrBlobInvalidDigest{Digest: p.digest, Reason: fmt.Errorf("content has digest %s", got)}
	}
	p.verified = true
	return nil
}

// lastPart sends what is behind the parts as the last of them.
func (p *publication) lastPart(ctx context.Context) error {
	if err := p.stage.ensureTail(ctx); err != nil {
		return err
	}
	p.parts = p.stage.parts
	buf := p.stage.buf
	if buf == nil || buf.n == 0 {
		return nil
	}
	part, err := p.store.bucket.PutPart(ctx, p.stage.upload, p.stage.next, section(buf.bytes()))
	if err != nil {
		return err
	}
	p.parts = append(p.parts[:len(p.parts):len(p.parts)], part)
	return nil
}

// CopyPlan is how large objects are copied by the server.
func (s *Store) CopyPlan() driver.CopyPlan {
	plan := s.features.Copying
	if plan.PartSize == 0 {
		plan.PartSize = 64 << 20
	}
	if plan.Concurrency == 0 {
		plan.Concurrency = 16
	}
	return plan
}

// placeTries bounds how often place looks and writes again.
const placeTries = 3

// place publishes content of a known size at a digest key by write. What is
// there already is trusted only if its size is right; else it is replaced. A
// write whose outcome is unknown is looked after before it is tried again.
func (s *Store) place(ctx context.Context, key string, size int64, offered driver.CondSet, write func(driver.Cond) error) error {
	cond := driver.Cond{IfAbsent: offered&driver.CondIfAbsent != 0}
	var err error
	contradicted := false // something is there and nothing is
	for range placeTries {
		if err = write(cond); err == nil {
			return nil
		}
		if !errors.Is(err, driver.Exists) && !errors.Is(err, driver.Mismatch) && !errors.Is(err, driver.NotFound) && !driver.MayHave(err) {
			return err
		}
		obj, serr := s.bucket.Stat(ctx, key)
		switch {
		case serr == nil && obj.Size == size:
			return nil
		case serr == nil && errors.Is(err, driver.NotFound):
			return err // what was to be published is gone
		case serr == nil:
			s.options.Log.WarnContext(ctx, "replacing a blob of the wrong size", "key", key, "size", obj.Size, "want", size)
			cond = driver.Cond{}
			if offered&driver.CondIfMatch != 0 {
				cond.IfMatch = obj.ETag
			}
		case !errors.Is(serr, driver.NotFound):
			return errors.Join(err, serr)
		case !driver.MayHave(err) && !errors.Is(err, driver.Exists):
			return err
		default:
			// A store may take the parts of somebody's unfinished upload to the key for
			// a blob, as Azurite does. What is published is verified, so the second time
			// it goes without the condition.
			cond = driver.Cond{IfAbsent: offered&driver.CondIfAbsent != 0 && (driver.MayHave(err) || !contradicted)}
			contradicted = errors.Is(err, driver.Exists)
		}
	}
	return err
}
