package laws

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// storageClass is what a class of S3's does to its objects.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
type storageClass struct {
	archived bool  // not to be read before it is restored
	early    bool  // billed for a number of days, however soon it is deleted
	smallest int64 // billed for so many bytes at least
}

// storageClasses has the classes that MinIO doesn't know.
func storageClasses() map[string]storageClass {
	const minimum = 128 << 10
	return map[string]storageClass{
		"STANDARD_IA":         {early: true, smallest: minimum},
		"ONEZONE_IA":          {early: true, smallest: minimum},
		"GLACIER_IR":          {early: true, smallest: minimum},
		"INTELLIGENT_TIERING": {},
		"GLACIER":             {archived: true, early: true},
		"DEEP_ARCHIVE":        {archived: true, early: true},
	}
}

// tiered is the class of objects that S3 itself moves to an archive tier and back.
const tiered = "INTELLIGENT_TIERING"

// classified is an object in a class that MinIO doesn't know.
type classified struct {
	class    string
	size     int64
	archived bool
}

// classBook keeps the classes of objects and of uploads. MinIO is not told of them.
type classBook struct {
	mu      sync.Mutex
	objects map[string]classified // by object, and by object and version
	uploads map[string]string     // class by upload id
}

func newClassBook() *classBook {
	return &classBook{objects: make(map[string]classified), uploads: make(map[string]string)}
}

func (b *classBook) get(object string) classified {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.objects[object]
}

// put replaces an object's entry, and returns the one before.
func (b *classBook) put(object string, o classified) (before classified) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before = b.objects[object]
	if o.class == "" {
		delete(b.objects, object)
	} else {
		b.objects[object] = o
	}
	return before
}

// Archive moves an object to an archive as a lifecycle rule would: one in class
// INTELLIGENT_TIERING to that class's archive tier, any other to class GLACIER. The law
// archived must be on.
func (e *Enforcer) Archive(bucket, key string) {
	o := e.classes.get(bucket + "/" + key)
	if o.class != tiered {
		o.class = "GLACIER"
	}
	o.archived = true
	e.classes.put(bucket+"/"+key, o)
}

// archived knows all of S3's storage classes, refuses to read from archives, and accounts
// the bytes that are billed without being there: below a class's smallest size, and of
// objects that are deleted early.
func archived(r rule) enforcement {
	book, classes := r.classes, storageClasses()
	return func(w http.ResponseWriter, c call, next handler) {
		class := c.Header.Get("X-Amz-Storage-Class")
		if _, ok := classes[class]; ok {
			c.Header.Del("X-Amz-Storage-Class")
		} else {
			class = "" // STANDARD, or the store's to refuse
		}
		switch c.op {
		case "GetObject":
			if book.get(versionOf(c)).archived {
				r.refuseS3(w, c, http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class")
				return
			}
			next(r.showClass(w, c), c)
		case "HeadObject":
			next(r.showClass(w, c), c)
		case "ListObjects", "ListObjectsV2":
			rec := ask(c, next)
			reply(w, rec, r.showClasses(c, rec.Body.Bytes()))
		case "CreateMultipartUpload":
			rec := ask(c, next)
			var created struct{ UploadId string }
			if xml.Unmarshal(rec.Body.Bytes(), &created) == nil && class != "" {
				book.mu.Lock()
				book.uploads[created.UploadId] = class
				book.mu.Unlock()
			}
			reply(w, rec, nil)
		case "UploadPartCopy", "CopyObject":
			if book.get(copySource(c)).archived {
				r.refuseS3(w, c, http.StatusForbidden, "ObjectNotInActiveTierError", "The source object of the COPY action is not in the active tier")
				return
			}
			r.classify(w, c, class, next)
		default:
			r.classify(w, c, class, next)
		}
	}
}

// classify carries out what may change an object's class, and takes it down.
func (e rule) classify(w http.ResponseWriter, c call, class string, next handler) {
	if !writesS3(c) && c.op != "DeleteObjects" {
		next(w, c)
		return
	}
	if c.op == "CompleteMultipartUpload" {
		e.classes.mu.Lock()
		class = e.classes.uploads[c.URL.Query().Get("uploadId")]
		e.classes.mu.Unlock()
	}
	removed, ok := e.removals(w, c)
	if !ok {
		return
	}
	rec := ask(c, next)
	defer reply(w, rec, nil)
	if rec.Code/100 != 2 {
		return
	}
	version := rec.Header().Get("X-Amz-Version-Id")
	for _, o := range removed {
		object := c.bucket + "/" + o.Key
		if o.VersionID != "" {
			e.ends(e.classes.put(object+"?versionId="+o.VersionID, classified{}))
		} else if before := e.classes.put(object, classified{}); version == "" {
			e.ends(before)
		}
	}
	if c.op == "DeleteObject" || c.op == "DeleteObjects" {
		return
	}
	o := classified{class: class, archived: storageClasses()[class].archived}
	if class != "" {
		if current, err := e.headS3(c.Context(), c.bucket, c.key); err == nil && current != nil {
			o.size = aws.ToInt64(current.ContentLength)
		}
		e.account(max(0, storageClasses()[class].smallest-o.size))
	}
	if before := e.classes.put(c.object(), o); version == "" {
		e.ends(before)
	} else {
		e.classes.put(c.object()+"?versionId="+version, o)
	}
}

// ends accounts an object that is gone before its time. Tests don't last for 30 days.
func (e rule) ends(o classified) {
	if storageClasses()[o.class].early {
		e.account(o.size)
	}
}

// versionOf is the object or version that c reads.
func versionOf(c call) string {
	if id := c.URL.Query().Get("versionId"); id != "" {
		return c.object() + "?versionId=" + id
	}
	return c.object()
}

// copySource is the object or version that c copies.
func copySource(c call) string {
	name, query, _ := strings.Cut(strings.TrimPrefix(c.Header.Get("X-Amz-Copy-Source"), "/"), "?")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	if query != "" {
		name += "?" + query
	}
	return name
}

// showClass adds an object's class to its headers.
func (e rule) showClass(w http.ResponseWriter, c call) http.ResponseWriter {
	o := e.classes.get(versionOf(c))
	return &headerEditor{ResponseWriter: w, edit: func(status int, h http.Header) {
		if o.class == "" || status/100 != 2 {
			return
		}
		h.Set("X-Amz-Storage-Class", o.class)
		if o.class == tiered && o.archived {
			h.Set("X-Amz-Archive-Status", "ARCHIVE_ACCESS")
		}
	}}
}

var (
	listedObject = regexp.MustCompile(`(?s)<Contents>.*?</Contents>`)
	listedClass  = regexp.MustCompile(`<StorageClass>[^<]*</StorageClass>`)
)

// showClasses puts the objects' classes into a list of objects.
func (e rule) showClasses(c call, list []byte) []byte {
	return listedObject.ReplaceAllFunc(list, func(entry []byte) []byte {
		var listed struct{ Key string }
		if xml.Unmarshal(entry, &listed) != nil {
			return entry
		}
		if c.URL.Query().Get("encoding-type") == "url" {
			if key, err := url.QueryUnescape(listed.Key); err == nil {
				listed.Key = key
			}
		}
		o := e.classes.get(c.bucket + "/" + listed.Key)
		if o.class == "" {
			return entry
		}
		return listedClass.ReplaceAll(bytes.Clone(entry), []byte("<StorageClass>"+o.class+"</StorageClass>"))
	})
}
