package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
)

// answers is a store in which everything works.
func answers(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	xml := ""
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		xml = `<InitiateMultipartUploadResult><UploadId>up1</UploadId></InitiateMultipartUploadResult>`
	case r.Method == http.MethodPost && q.Has("uploadId"):
		xml = `<CompleteMultipartUploadResult><ETag>"whole-1"</ETag></CompleteMultipartUploadResult>`
	case r.Method == http.MethodPost && q.Has("delete"):
		xml = `<DeleteResult/>`
	case r.Header.Get("X-Amz-Copy-Source") != "" && q.Has("partNumber"):
		xml = `<CopyPartResult><ETag>"part"</ETag></CopyPartResult>`
	case r.Header.Get("X-Amz-Copy-Source") != "":
		xml = `<CopyObjectResult><ETag>"copy"</ETag></CopyObjectResult>`
	case r.Method == http.MethodGet && q.Has("uploads"):
		xml = `<ListMultipartUploadsResult/>`
	case r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/bucket/p/"):
		xml = `<ListBucketResult/>`
	}
	if xml != "" {
		_, _ = w.Write([]byte(xml))
		return
	}
	w.Header().Set("Etag", `"etag"`)
}

const helloSHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

// TestStorageClassOfBlobs has small objects, and those that live for seconds, in the
// standard class: others bill each as 128 KB for 30 days.
func TestStorageClassOfBlobs(t *testing.T) {
	b, f := fakeStore(t, answers, func(c *Config) { c.StorageClass = "STANDARD_IA" })
	for use, want := range map[driver.Use]string{driver.UseOther: "", driver.UsePiece: "", driver.UseBlob: "STANDARD_IA"} {
		o := driver.WriteOptions{Use: use}
		_, err := b.Put(t.Context(), "key", section("hello"), o)
		_, uerr := b.CreateUpload(t.Context(), "key", o)
		_, cerr := b.features.Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key", Options: o})
		if err := errors.Join(err, uerr, cerr); err != nil {
			t.Fatal(err)
		}
		for _, r := range f.take() {
			if got := r.header.Get("X-Amz-Storage-Class"); got != want {
				t.Errorf("use %d: %s has class %q, want %q", use, r.method, got, want)
			}
		}
	}
}

func TestRequests(t *testing.T) {
	ctx := context.Background()
	sum := sha256.Sum256([]byte("hello"))
	meta := driver.WriteOptions{ContentType: "text/x-test", Metadata: map[string]string{"size": "5"}}
	blob := meta
	blob.Use = driver.UseBlob
	u := driver.Upload{Key: "key", ID: "up1"}
	encrypted := func(c *Config) {
		c.SSE, c.SSEKMSKeyID, c.StorageClass, c.ACL = "aws:kms", "key-id", "STANDARD_IA", "bucket-owner-full-control"
	}
	tests := []struct {
		name string
		edit func(*Config)
		do   func(b *Bucket) error
		want string
	}{
		{
			name: "put",
			do:   func(b *Bucket) error { _, err := b.Put(ctx, "key", section("hello"), meta); return err },
			want: `PUT /bucket/p/key?x-id=PutObject
Content-Type: text/x-test
X-Amz-Checksum-Crc32c: mnG7TA==
X-Amz-Content-Sha256: UNSIGNED-PAYLOAD
X-Amz-Meta-Size: 5

hello
`,
		},
		{
			name: "put empty",
			do:   func(b *Bucket) error { _, err := b.Put(ctx, "key", section(""), driver.WriteOptions{}); return err },
			want: `PUT /bucket/p/key?x-id=PutObject
Content-Type: application/octet-stream
X-Amz-Checksum-Crc32c: AAAAAA==
X-Amz-Content-Sha256: UNSIGNED-PAYLOAD
`,
		},
		{
			name: "put with digest, once",
			do: func(b *Bucket) error {
				_, err := b.Put(ctx, "key", section("hello"), driver.WriteOptions{SHA256: sum[:], Cond: driver.Cond{IfAbsent: true}})
				return err
			},
			want: `PUT /bucket/p/key?x-id=PutObject
Content-Type: application/octet-stream
If-None-Match: *
X-Amz-Checksum-Sha256: LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=
X-Amz-Content-Sha256: ` + helloSHA256 + `

hello
`,
		},
		{
			name: "put over",
			edit: encrypted,
			do: func(b *Bucket) error {
				_, err := b.Put(ctx, "key", section("hello"), driver.WriteOptions{Cond: driver.Cond{IfMatch: `"old"`}, Use: driver.UseBlob})
				return err
			},
			want: `PUT /bucket/p/key?x-id=PutObject
Content-Type: application/octet-stream
If-Match: "old"
X-Amz-Acl: bucket-owner-full-control
X-Amz-Checksum-Crc32c: mnG7TA==
X-Amz-Content-Sha256: UNSIGNED-PAYLOAD
X-Amz-Server-Side-Encryption: aws:kms
X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: key-id
X-Amz-Storage-Class: STANDARD_IA

hello
`,
		},
		{
			name: "put, crc32",
			edit: func(c *Config) { c.Checksum = ChecksumCRC32 },
			do:   func(b *Bucket) error { _, err := b.Put(ctx, "key", section("hello"), meta); return err },
			want: `PUT /bucket/p/key?x-id=PutObject
Content-Type: text/x-test
X-Amz-Checksum-Crc32: NhCmhg==
X-Amz-Content-Sha256: UNSIGNED-PAYLOAD
X-Amz-Meta-Size: 5

hello
`,
		},
		{
			name: "put, crc64nvme",
			edit: func(c *Config) { c.Checksum = ChecksumCRC64NVME },
			do:   func(b *Bucket) error { _, err := b.Put(ctx, "key", section("123456789"), meta); return err },
			// The check value of the catalogue of CRC algorithms, ae8b14860a799888.
			want: `PUT /bucket/p/key?x-id=PutObject
Content-Type: text/x-test
X-Amz-Checksum-Crc64nvme: rosUhgp5mIg=
X-Amz-Content-Sha256: UNSIGNED-PAYLOAD
X-Amz-Meta-Size: 5

123456789
`,
		},
		{
			name: "put, md5",
			edit: func(c *Config) { c.Checksum = ChecksumMD5 },
			do:   func(b *Bucket) error { _, err := b.Put(ctx, "key", section("hello"), meta); return err },
			want: `PUT /bucket/p/key?x-id=PutObject
Content-Md5: XUFAKrxLKna5cZ2REBfFkg==
Content-Type: text/x-test
X-Amz-Content-Sha256: UNSIGNED-PAYLOAD
X-Amz-Meta-Size: 5

hello
`,
		},
		{
			name: "put, no checksum",
			edit: func(c *Config) { c.Checksum = ChecksumNone },
			do: func(b *Bucket) error {
				_, err := b.Put(ctx, "key", section("hello"), driver.WriteOptions{SHA256: sum[:]})
				return err
			},
			want: `PUT /bucket/p/key?x-id=PutObject
Content-Type: application/octet-stream
X-Amz-Content-Sha256: ` + helloSHA256 + `

hello
`,
		},
		{
			name: "stat",
			do:   func(b *Bucket) error { _, err := b.Stat(ctx, "dir/a b+c"); return err },
			want: `HEAD /bucket/p/dir/a%20b%2Bc
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "stat with checksums",
			do:   func(b *Bucket) error { _, err := b.features.StatChecksums(ctx, "key"); return err },
			want: `HEAD /bucket/p/key
X-Amz-Checksum-Mode: ENABLED
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "delete",
			do:   func(b *Bucket) error { return b.Delete(ctx, "key", driver.DeleteOptions{}) },
			want: `DELETE /bucket/p/key?x-id=DeleteObject
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "delete one version",
			do: func(b *Bucket) error {
				return b.Delete(ctx, "key", driver.DeleteOptions{IfVersion: "v+1"})
			},
			want: `DELETE /bucket/p/key?versionId=v%2B1&x-id=DeleteObject
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "delete by ETag",
			edit: func(c *Config) { c.Profile = "aws"; c.PathStyle = new(true) },
			do: func(b *Bucket) error {
				return b.Delete(ctx, "key", driver.DeleteOptions{IfVersion: `"e"`})
			},
			want: `DELETE /bucket/p/key?x-id=DeleteObject
If-Match: "e"
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "copy part, whole source",
			do: func(b *Bucket) error {
				_, err := b.features.CopyPart(ctx, u, 3, driver.Source{Key: "src", ETag: `"old"`, Range: driver.Range{Len: 5}, Size: 5})
				return err
			},
			want: `PUT /bucket/p/key?partNumber=3&uploadId=up1&x-id=UploadPartCopy
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
X-Amz-Copy-Source: bucket/p/src
X-Amz-Copy-Source-If-Match: "old"
`,
		},
		{
			name: "list",
			do: func(b *Bucket) error {
				_, err := b.ListPage(ctx, driver.ListRequest{Prefix: "d/", Delimiter: "/", StartAfter: "d/k", Limit: 7})
				return err
			},
			want: `GET /bucket?delimiter=%2F&encoding-type=url&list-type=2&max-keys=7&prefix=p%2Fd%2F&start-after=p%2Fd%2Fk
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "list, v1",
			edit: func(c *Config) { c.ListV1 = new(true) },
			do: func(b *Bucket) error {
				_, err := b.ListPage(ctx, driver.ListRequest{Prefix: "d/", StartAfter: "d/k"})
				return err
			},
			want: `GET /bucket?encoding-type=url&marker=p%2Fd%2Fk&max-keys=1000&prefix=p%2Fd%2F
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "create upload",
			edit: encrypted,
			do:   func(b *Bucket) error { _, err := b.CreateUpload(ctx, "key", blob); return err },
			want: `POST /bucket/p/key?uploads=
Content-Type: text/x-test
X-Amz-Acl: bucket-owner-full-control
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
X-Amz-Meta-Size: 5
X-Amz-Server-Side-Encryption: aws:kms
X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: key-id
X-Amz-Storage-Class: STANDARD_IA
`,
		},
		{
			name: "create upload, announced checksum",
			edit: func(c *Config) { c.Profile, c.PathStyle = "aws", new(true) },
			do:   func(b *Bucket) error { _, err := b.CreateUpload(ctx, "key", driver.WriteOptions{}); return err },
			want: `POST /bucket/p/key?uploads=
X-Amz-Checksum-Algorithm: CRC32C
X-Amz-Checksum-Type: FULL_OBJECT
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "put part",
			edit: encrypted,
			do:   func(b *Bucket) error { _, err := b.PutPart(ctx, u, 7, section("hello")); return err },
			want: `PUT /bucket/p/key?partNumber=7&uploadId=up1&x-id=UploadPart
Content-Type: application/octet-stream
X-Amz-Checksum-Crc32c: mnG7TA==
X-Amz-Content-Sha256: UNSIGNED-PAYLOAD

hello
`,
		},
		{
			name: "complete",
			do: func(b *Bucket) error {
				_, err := b.CompleteUpload(ctx, u, []driver.Part{{Number: 1, Size: 5 * mib, ETag: `"a"`}, {Number: 2, Size: 1, ETag: `"b"`}}, driver.Cond{IfAbsent: true})
				return err
			},
			want: `POST /bucket/p/key?uploadId=up1
Content-Type: application/xml
If-None-Match: *
X-Amz-Content-Sha256: 223dfed738a8b6e0a5242503890b105cba0d323c00951326e2c49d2e448d98ed

<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ETag>&#34;a&#34;</ETag><PartNumber>1</PartNumber></Part><Part><ETag>&#34;b&#34;</ETag><PartNumber>2</PartNumber></Part></CompleteMultipartUpload>
`,
		},
		{
			name: "abort",
			do:   func(b *Bucket) error { return b.AbortUpload(ctx, u) },
			want: `DELETE /bucket/p/key?uploadId=up1&x-id=AbortMultipartUpload
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "list uploads",
			do: func(b *Bucket) error {
				_, err := b.UploadsPage(ctx, driver.ListRequest{Prefix: "d/", Token: "id=up+1&key=p%2Fd%2Fk"})
				return err
			},
			want: `GET /bucket?encoding-type=url&key-marker=p%2Fd%2Fk&max-uploads=1000&prefix=p%2Fd%2F&upload-id-marker=up%201&uploads=
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`,
		},
		{
			name: "copy, keeping what the source has",
			edit: encrypted,
			do: func(b *Bucket) error {
				_, err := b.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "dir/a b+c&ü?#%", ETag: `"old"`}, Dst: "key"})
				return err
			},
			want: `PUT /bucket/p/key?x-id=CopyObject
X-Amz-Acl: bucket-owner-full-control
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
X-Amz-Copy-Source: bucket/p/dir/a%20b%2Bc&%C3%BC%3F%23%25
X-Amz-Copy-Source-If-Match: "old"
X-Amz-Metadata-Directive: COPY
X-Amz-Server-Side-Encryption: aws:kms
X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: key-id
`,
		},
		{
			name: "copy, with new metadata",
			edit: func(c *Config) { c.Conditions = ConditionsAll },
			do: func(b *Bucket) error {
				o := meta
				o.Cond.IfAbsent = true
				_, err := b.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key", Options: o})
				return err
			},
			want: `PUT /bucket/p/key?x-id=CopyObject
Content-Type: text/x-test
If-None-Match: *
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
X-Amz-Copy-Source: bucket/p/src
X-Amz-Meta-Size: 5
X-Amz-Metadata-Directive: REPLACE
`,
		},
		{
			name: "copy part",
			do: func(b *Bucket) error {
				_, err := b.features.CopyPart(ctx, u, 3, driver.Source{Key: "src", ETag: `"old"`, Range: driver.Range{Off: 10, Len: 5}})
				return err
			},
			want: `PUT /bucket/p/key?partNumber=3&uploadId=up1&x-id=UploadPartCopy
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
X-Amz-Copy-Source: bucket/p/src
X-Amz-Copy-Source-If-Match: "old"
X-Amz-Copy-Source-Range: bytes=10-14
`,
		},
		{
			name: "delete batch",
			do:   func(b *Bucket) error { return b.features.DeleteBatch(ctx, driver.Refs("a", "b")) },
			want: `POST /bucket?delete=
Content-Type: application/xml
X-Amz-Checksum-Crc32: O3ZRew==
X-Amz-Content-Sha256: 42ae343090786e8ba93f299166c3868b3fb485a9d332499df9d4635481102788

<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>p/a</Key></Object><Object><Key>p/b</Key></Object><Quiet>true</Quiet></Delete>
`,
		},
		{
			name: "delete batch, md5",
			edit: func(c *Config) { c.Profile = "ceph" },
			do:   func(b *Bucket) error { return b.features.DeleteBatch(ctx, driver.Refs("a", "b")) },
			want: `POST /bucket?delete=
Content-Md5: bGtEYAojiimnw3jVY+5cjw==
Content-Type: application/xml
X-Amz-Content-Sha256: 42ae343090786e8ba93f299166c3868b3fb485a9d332499df9d4635481102788

<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>p/a</Key></Object><Object><Key>p/b</Key></Object><Quiet>true</Quiet></Delete>
`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, f := fakeStore(t, answers, func(c *Config) {
				c.Prefix = "/p/"
				if tt.edit != nil {
					tt.edit(c)
				}
			})
			if err := tt.do(b); err != nil {
				t.Fatalf("got %v", err)
			}
			got := f.take()
			if len(got) != 1 {
				t.Fatalf("%d requests, want 1: %v", len(got), got)
			}
			if diff := cmp.Diff(tt.want, got[0].String()); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(got[0].header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+testAccessKey) {
				t.Errorf("request is not signed: %q", got[0].header.Get("Authorization"))
			}
		})
	}
}

// Conditions that the store is not known to honour cost no request.
func TestConditionsRefused(t *testing.T) {
	b, f := fakeStore(t, answers, func(c *Config) { c.Profile = "ceph" })
	cond := driver.Cond{IfAbsent: true}
	o := driver.WriteOptions{Cond: cond}
	_, putErr := b.Put(t.Context(), "key", section("x"), o)
	_, completeErr := b.CompleteUpload(t.Context(), driver.Upload{Key: "key", ID: "u"}, []driver.Part{{Number: 1, Size: 1}}, cond)
	_, copyErr := b.features.Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key", Options: o})
	for what, err := range map[string]error{"Put": putErr, "CompleteUpload": completeErr, "Copy": copyErr} {
		if !errors.Is(err, driver.Unsupported) {
			t.Errorf("%s: got %v, want %v", what, err, driver.Unsupported)
		}
	}
	if got := f.take(); len(got) != 0 {
		t.Errorf("%d requests were sent: %v", len(got), got)
	}
}

// Without a checksum to send, a known digest is compared before anything is sent.
func TestDigestWithoutChecksum(t *testing.T) {
	for _, sum := range []Checksum{ChecksumNone, ChecksumMD5} {
		b, f := fakeStore(t, answers, func(c *Config) { c.Checksum = sum })
		digest, _ := hex.DecodeString(helloSHA256)
		_, err := b.Put(t.Context(), "key", section("other"), driver.WriteOptions{SHA256: digest})
		if !errors.Is(err, driver.Corrupt) {
			t.Errorf("checksum=%s: got %v, want %v", sum, err, driver.Corrupt)
		}
		if got := f.take(); len(got) != 0 {
			t.Errorf("checksum=%s: %d requests were sent", sum, len(got))
		}
	}
}

func TestAnonymous(t *testing.T) {
	b, f := fakeStore(t, answers, func(c *Config) {
		c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Anonymous = "", "", "", true
	})
	if _, err := b.Stat(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	if h := f.take()[0].header; h.Get("Authorization") != "" {
		t.Errorf("an anonymous request is signed: %v", h)
	}
	if b.Features().Sign != nil {
		t.Error("an anonymous bucket offers signed URLs")
	}
}

// GCS changes Accept-Encoding on the way, so it must not be signed there.
func TestSignedHeaders(t *testing.T) {
	for profile, want := range map[string]bool{"gcs": false, "minio": true} {
		b, f := fakeStore(t, answers, func(c *Config) { c.Profile = profile })
		if _, err := b.Stat(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		auth := f.take()[0].header.Get("Authorization")
		if got := strings.Contains(auth, "accept-encoding"); got != want {
			t.Errorf("%s: Accept-Encoding is signed: %v, want %v (%s)", profile, got, want, auth)
		}
	}
}

func TestExpectContinue(t *testing.T) {
	big := strings.Repeat("x", 3*mib)
	for profile, want := range map[string]string{"r2": "", "minio": "100-continue"} {
		b, f := fakeStore(t, answers, func(c *Config) { c.Profile = profile })
		if _, err := b.Put(t.Context(), "key", section(big), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := f.take()[0].header.Get("Expect"); got != want {
			t.Errorf("%s: Expect is %q, want %q", profile, got, want)
		}
	}
}
