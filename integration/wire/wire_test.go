package wire_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

func TestMain(m *testing.M) { os.Exit(emulator.Run(m)) }

func TestS3(t *testing.T) {
	server := emulator.Start(t)
	bucket := server.NewBucket(t)
	through, p := wire.S3(t, server)
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(through.Endpoint),
		Region:       through.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(through.AccessKey, through.SecretKey, ""),
		UsePathStyle: true,
	})
	ctx := t.Context()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	key, twin := aws.String("a key/+ü"), aws.String("twin")
	_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: key, Body: strings.NewReader("hello")})
	check("put", err)
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: twin, CopySource: aws.String(bucket + "/a%20key/%2B%C3%BC")})
	check("copy", err)
	_, err = client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	check("list", err)

	got := p.Counts()
	const want = "3 requests (CopyObject 1, ListObjectsV2 1, PutObject 1)"
	if got.String() != want || got.Copied != 5 || got.Sent < 5 || got.Received == 0 {
		t.Errorf("counted %v, %+v, want %s and 5 bytes copied", got, got, want)
	}

	signed, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: key})
	check("presign", err)
	p.Reset()
	res, err := http.Get(signed.URL)
	check("signed URL", err)
	res.Body.Close()
	if res.StatusCode != http.StatusOK || p.Counts().String() != "1 requests (GetObject 1)" {
		t.Errorf("signed URL: %s, %v", res.Status, p.Counts())
	}
}

func TestOperationS3(t *testing.T) {
	for _, tc := range []struct{ method, target, source, want string }{
		{"PUT", "/b/k", "", "PutObject"},
		{"PUT", "/b/k", "b/other", "CopyObject"},
		{"PUT", "/b/k?partNumber=1&uploadId=x", "", "UploadPart"},
		{"PUT", "/b/k?partNumber=1&uploadId=x", "b/other", "UploadPartCopy"},
		{"POST", "/b/k?uploads", "", "CreateMultipartUpload"},
		{"POST", "/b/k?uploadId=x", "", "CompleteMultipartUpload"},
		{"POST", "/b/?delete", "", "DeleteObjects"},
		{"GET", "/b/k", "", "GetObject"},
		{"GET", "/b/k?uploadId=x", "", "ListParts"},
		{"GET", "/b/?uploads", "", "ListMultipartUploads"},
		{"GET", "/b?list-type=2", "", "ListObjectsV2"},
		{"GET", "/b?prefix=k", "", "ListObjects"},
		{"HEAD", "/b/k", "", "HeadObject"},
		{"HEAD", "/b", "", "HeadBucket"},
		{"DELETE", "/b/k", "", "DeleteObject"},
		{"DELETE", "/b/k?uploadId=x", "", "AbortMultipartUpload"},
	} {
		r := httptest.NewRequest(tc.method, tc.target, nil)
		r.Header.Set("X-Amz-Copy-Source", tc.source)
		if got := wire.OperationS3(r); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.method, tc.target, got, tc.want)
		}
	}
}

// TestGCS speaks both APIs with nothing but a client for HTTP.
func TestGCS(t *testing.T) {
	server := emulator.StartGCS(t)
	bucket := server.NewBucket(t)
	through, p := wire.GCS(t, server)
	send := func(method, path, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, through.Endpoint+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s", method, path, res.Status)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
	}
	object := "/storage/v1/b/" + bucket + "/o/a%2Fkey"
	send(http.MethodPost, "/upload/storage/v1/b/"+bucket+"/o?uploadType=media&name=a%2Fkey", "hello")
	send(http.MethodPost, object+"/rewriteTo/b/"+bucket+"/o/twin", "{}")
	send(http.MethodPost, "/storage/v1/b/"+bucket+"/o/joined/compose", `{"sourceObjects": [{"name": "a/key"}, {"name": "twin"}], "destination": {"contentType": "text/plain"}}`)
	send(http.MethodGet, "/"+bucket+"/joined", "")

	got := p.Counts()
	const want = "4 requests (GET Object 1, objects.compose 1, objects.insert 1, objects.rewrite 1)"
	if got.String() != want || got.Copied != 5 || got.Sent < 5 || got.Received < 10 {
		t.Errorf("counted %v, %+v, want %s and 5 bytes copied", got, got, want)
	}
}

func TestOperationGCS(t *testing.T) {
	for _, tc := range []struct{ method, target, want string }{
		{"POST", "/upload/storage/v1/b/bucket/o?uploadType=multipart&name=a", "objects.insert"},
		{"GET", "/storage/v1/b/bucket/o?prefix=a", "objects.list"},
		{"GET", "/storage/v1/b/bucket/o/a%2Fb", "objects.get"},
		{"GET", "/download/storage/v1/b/bucket/o/a%2Fb?alt=media", "objects.get"},
		{"DELETE", "/storage/v1/b/bucket/o/a%2Fb", "objects.delete"},
		{"POST", "/batch/storage/v1", "batch"},
		{"PATCH", "/storage/v1/b/bucket/o/a%2Fb", "objects.patch"},
		{"POST", "/storage/v1/b/bucket/o/a%2Fb/compose", "objects.compose"},
		{"POST", "/storage/v1/b/bucket/o/a%2Fb/rewriteTo/b/bucket/o/c", "objects.rewrite"},
		{"POST", "/storage/v1/b/bucket/o/a%2Fb/copyTo/b/bucket/o/c", "objects.copy"},
		{"POST", "/storage/v1/b/bucket/o/a%2Fb/moveTo/o/c", "objects.move"},
		{"GET", "/storage/v1/b/bucket", "buckets.get"},
		{"GET", "/storage/v1/b?project=p", "buckets.list"},
		{"POST", "/storage/v1/b?project=p", "buckets.insert"},
		{"GET", "/bucket/a/b", "GET Object"},
		{"HEAD", "/bucket/a/b", "HEAD Object"},
		{"GET", "/bucket/", "GET Bucket"},
	} {
		if got := wire.OperationGCS(httptest.NewRequest(tc.method, tc.target, nil)); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.method, tc.target, got, tc.want)
		}
	}
}

// TestAzure has Azurite copy, which it does through the proxy itself.
func TestAzure(t *testing.T) {
	server := emulator.StartAzure(t)
	through, p := wire.Azure(t, server)
	key, err := container.NewSharedKeyCredential(through.Account, through.Key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClientWithSharedKeyCredential(through.Endpoint+"/"+server.NewContainer(t), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	body := func() io.ReadSeekCloser { return streaming.NopCloser(strings.NewReader("hello")) }
	source, twin, joined := client.NewBlockBlobClient("a key/+ü"), client.NewBlockBlobClient("twin"), client.NewBlockBlobClient("joined")
	_, err = source.Upload(ctx, body(), nil)
	check("put", err)
	from, err := source.GetSASURL(sas.BlobPermissions{Read: true}, time.Now().Add(time.Hour), nil)
	check("sign", err)
	_, err = twin.CopyFromURL(ctx, from, nil)
	check("copy", err)
	ids := []string{"MDAw", "MDAx"}
	_, err = joined.StageBlock(ctx, ids[0], body(), nil)
	check("block", err)
	_, err = joined.StageBlockFromURL(ctx, ids[1], from, &blockblob.StageBlockFromURLOptions{Range: blob.HTTPRange{Offset: 1, Count: 3}})
	check("block from URL", err)
	_, err = joined.CommitBlockList(ctx, ids, nil)
	check("block list", err)
	_, err = client.NewBlobClient("unsigned").StartCopyFromURL(ctx, source.URL(), nil)
	check("copy within the account", err)

	got := p.Counts()
	const want = "6 requests (Copy Blob 1, Copy Blob From URL 1, Put Blob 1, Put Block 1, Put Block From URL 1, Put Block List 1)"
	if got.String() != want || got.Copied != 13 || got.Sent < 10 {
		t.Errorf("counted %v, %+v, want %s and 13 bytes copied", got, got, want)
	}
}

func TestOperationAzure(t *testing.T) {
	for _, tc := range []struct{ method, target, header, want string }{
		{"PUT", "/a/c/k", "", "Put Blob"},
		{"PUT", "/a/c/k", "X-Ms-Copy-Source X-Ms-Requires-Sync", "Copy Blob From URL"},
		{"PUT", "/a/c/k", "X-Ms-Copy-Source", "Copy Blob"},
		{"PUT", "/a/c/k", "X-Ms-Copy-Source X-Ms-Blob-Type", "Put Blob From URL"},
		{"PUT", "/a/c/k?comp=block&blockid=x", "", "Put Block"},
		{"PUT", "/a/c/k?comp=block&blockid=x", "X-Ms-Copy-Source", "Put Block From URL"},
		{"PUT", "/a/c/k?comp=blocklist", "", "Put Block List"},
		{"GET", "/a/c/k?comp=blocklist", "", "Get Block List"},
		{"PUT", "/a/c/k?comp=appendblock", "", "Append Block"},
		{"GET", "/a/c/k/more", "", "Get Blob"},
		{"HEAD", "/a/c/k", "", "Get Blob Properties"},
		{"DELETE", "/a/c/k", "", "Delete Blob"},
		{"GET", "/a/c?restype=container&comp=list", "", "List Blobs"},
		{"GET", "/a/c?restype=container", "", "Get Container Properties"},
		{"PUT", "/a/c?restype=container", "", "Create Container"},
		{"POST", "/a/c?restype=container&comp=batch", "", "Blob Batch"},
		{"POST", "/a/?restype=service&comp=userdelegationkey", "", "Get User Delegation Key"},
	} {
		r := httptest.NewRequest(tc.method, tc.target, nil)
		for _, name := range strings.Fields(tc.header) {
			r.Header.Set(name, "true")
		}
		if got := wire.OperationAzure(r); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.method, tc.target, got, tc.want)
		}
	}
}

// TestIntercept loses the answer to a request that was carried out.
func TestIntercept(t *testing.T) {
	server := emulator.StartGCS(t)
	bucket := server.NewBucket(t)
	through, p := wire.GCS(t, server)
	p.Intercept(func(_ http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	res, err := http.Post(through.Endpoint+"/upload/storage/v1/b/"+bucket+"/o?uploadType=media&name=key", "text/plain", strings.NewReader("hello"))
	if err == nil {
		res.Body.Close()
		t.Fatalf("the answer arrives: %s", res.Status)
	}
	p.Intercept(nil)
	res, err = http.Get(through.Endpoint + "/" + bucket + "/key")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || p.Counts().Requests() != 2 {
		t.Errorf("%s, %v, want the object, and 2 requests", res.Status, p.Counts())
	}
}

// TestEarlyAnswer is answered before the end of a body. The answer arrives, and the
// next request is not mixed up with the rest of the body.
func TestEarlyAnswer(t *testing.T) {
	server := emulator.Start(t)
	bucket := server.NewBucket(t)
	through, p := wire.S3(t, server)
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(through.Endpoint),
		Region:       through.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(through.AccessKey, through.SecretKey, ""),
		UsePathStyle: true,
	})
	p.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodPut {
			next.ServeHTTP(w, r)
			return
		}
		if _, err := io.ReadFull(r.Body, make([]byte, 1<<10)); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusPreconditionFailed)
	})
	for i := range 5 {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("key"), Body: strings.NewReader(strings.Repeat("x", 3<<20))})
		if err == nil || !strings.Contains(err.Error(), "412") {
			t.Fatalf("put %d: %v, want 412", i, err)
		}
		if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
			t.Fatalf("after put %d: %v", i, err)
		}
	}
}
