package laws

import (
	"cmp"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// maxUploads is how many uploads a page has at most.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
const maxUploads = 1000

// listUploads lists the uploads under way to all keys with a prefix. The store itself lists
// those to one key, and is asked for each key that an upload was begun to.
func listUploads(r rule) enforcement {
	var mu sync.Mutex
	begun := make(map[string]map[string]bool) // keys by bucket
	return func(w http.ResponseWriter, c call, next handler) {
		switch c.op {
		case "CreateMultipartUpload":
			mu.Lock()
			if begun[c.bucket] == nil {
				begun[c.bucket] = make(map[string]bool)
			}
			begun[c.bucket][c.key] = true
			mu.Unlock()
		case "ListMultipartUploads":
			mu.Lock()
			keys := slices.Sorted(maps.Keys(begun[c.bucket]))
			mu.Unlock()
			r.replyUploads(w, c, keys, next)
			return
		}
		next(w, c)
	}
}

// replyUploads answers ListMultipartUploads.
func (e rule) replyUploads(w http.ResponseWriter, c call, keys []string, next handler) {
	q := c.URL.Query()
	if q.Get("delimiter") != "" {
		e.refuseS3(w, c, http.StatusNotImplemented, "NotImplemented", "the proxy knows no delimiters in lists of uploads")
		return
	}
	if rec := ask(c, next); rec.Code != http.StatusOK {
		reply(w, rec, nil)
		return
	}
	page := uploadsPage{
		Bucket: c.bucket, Prefix: q.Get("prefix"), KeyMarker: q.Get("key-marker"), UploadIDMarker: q.Get("upload-id-marker"),
		EncodingType: q.Get("encoding-type"), MaxUploads: maxUploads,
	}
	if n, err := strconv.Atoi(q.Get("max-uploads")); err == nil && n > 0 {
		page.MaxUploads = min(n, maxUploads)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, page.Prefix) || key < page.KeyMarker {
			continue
		}
		if err := e.addUploads(c, &page, key); err != nil {
			brokenS3(w, c, err)
			return
		}
		if page.IsTruncated {
			break
		}
	}
	body, err := xml.Marshal(page.encoded())
	if err != nil {
		brokenS3(w, c, err)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(append([]byte(xml.Header), body...))
}

// addUploads adds the uploads to a key, as far as there is room.
func (e rule) addUploads(c call, page *uploadsPage, key string) error {
	out, err := e.s3Client.ListMultipartUploads(c.Context(), &s3.ListMultipartUploadsInput{Bucket: &c.bucket, Prefix: &key})
	if err != nil {
		return err
	}
	// By the id rather than by the time, as a page begins behind an id.
	slices.SortFunc(out.Uploads, func(a, b types.MultipartUpload) int { return cmp.Compare(*a.UploadId, *b.UploadId) })
	for _, u := range out.Uploads {
		id := aws.ToString(u.UploadId)
		if aws.ToString(u.Key) != key || key == page.KeyMarker && (page.UploadIDMarker == "" || id <= page.UploadIDMarker) {
			continue
		}
		if len(page.Upload) == page.MaxUploads {
			page.IsTruncated = true
			return nil
		}
		page.Upload = append(page.Upload, listedUpload{key, id, aws.ToTime(u.Initiated)})
		page.NextKeyMarker, page.NextUploadIDMarker = key, id
	}
	return nil
}

// uploadsPage is one page of a listing.
type uploadsPage struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string
	NextUploadIDMarker string `xml:"NextUploadIdMarker"`
	Prefix             string
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Upload             []listedUpload
}

type listedUpload struct {
	Key       string
	UploadID  string `xml:"UploadId"`
	Initiated time.Time
}

// encoded is the page with its keys encoded, where the client has asked for that.
func (p uploadsPage) encoded() uploadsPage {
	if p.EncodingType != "url" {
		return p
	}
	for _, s := range []*string{&p.Prefix, &p.KeyMarker, &p.NextKeyMarker} {
		*s = url.QueryEscape(*s)
	}
	for i := range p.Upload {
		p.Upload[i].Key = url.QueryEscape(p.Upload[i].Key)
	}
	return p
}
