package laws_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/blobdock/blobdock/integration/laws"
)

// get is a read by HTTP alone, as a client does that follows a signed URL.
func get(t *testing.T, url, header, value string) (status int, code, content string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != "" {
		req.Header.Set(header, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("X-Ms-Error-Code"), string(b)
}

func azureSuffixRange(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "suffix-range")
	c.put(t, "k", "0123", nil)
	for _, tt := range []struct {
		header, value string
		status        int
		code, content string
	}{
		{"Range", "bytes=-2", 416, "InvalidRange", ""},
		{"x-ms-range", "bytes=-2", 416, "InvalidRange", ""},
		{"Range", "bytes=2-", 206, "", "23"},
		{"Range", "bytes=0-1", 206, "", "01"},
		{"", "", 200, "", "0123"},
	} {
		status, code, content := get(t, c.url(t, "k", nil), tt.header, tt.value)
		if status != tt.status || code != tt.code || code == "" && content != tt.content {
			t.Errorf("%s %s: %d %s %q, want %d %s %q", tt.header, tt.value, status, code, content, tt.status, tt.code, tt.content)
		}
	}
	c.refused(t, 2)

	c = newAzureClient(t, laws.Options{Azure: laws.AzureOptions{SuffixRangeIgnored: true}}, "suffix-range")
	c.put(t, "k", "0123", nil)
	if status, _, content := get(t, c.url(t, "k", nil), "Range", "bytes=-2"); status != 200 || content != "0123" {
		t.Errorf("ignored: %d %q, want 200 and all of it", status, content)
	}
	c.refused(t, 0)
}

func azureSASStart(t *testing.T) {
	c := newAzureClient(t, laws.Options{Azure: laws.AzureOptions{SASInterval: 2 * time.Hour}}, "sas-start")
	c.put(t, "k", "0123", nil)
	noStart := func(v *sas.BlobSignatureValues) { v.StartTime = time.Time{} }
	long := func(v *sas.BlobSignatureValues) { v.ExpiryTime = v.StartTime.Add(3 * time.Hour) }
	for _, tt := range []struct {
		name string
		edit func(*sas.BlobSignatureValues)
		want int
	}{{"as it should be", nil, 200}, {"without a start", noStart, 403}, {"valid for too long", long, 403}} {
		if status, code, _ := get(t, c.url(t, "k", tt.edit), "", ""); status != tt.want || status == 403 && code != "AuthenticationFailed" {
			t.Errorf("%s: %d %s, want %d", tt.name, status, code, tt.want)
		}
		wantCode := bloberror.Code("")
		if tt.want == 403 {
			wantCode = bloberror.CannotVerifyCopySource
		}
		_, err := c.NewBlobClient("copy").CopyFromURL(t.Context(), c.url(t, "k", tt.edit), nil)
		wantAzure(t, "copy from a URL "+tt.name, err, wantCode)
	}
	c.refused(t, 4)

	c = newAzureClient(t, laws.Options{}, "sas-start")
	c.put(t, "k", "0123", nil)
	if status, _, _ := get(t, c.url(t, "k", long), "", ""); status != 200 {
		t.Errorf("valid for long, without a limit: %d, want 200", status)
	}
	if status, _, _ := get(t, c.url(t, "k", noStart), "", ""); status != 403 {
		t.Errorf("without a start: %d, want 403", status)
	}
	_, err := c.NewBlobClient("copy").CopyFromURL(t.Context(), c.url(t, "k", noStart), nil)
	wantAzure(t, "copy without a start", err, bloberror.CannotVerifyCopySource)
	c.absent(t, "copy")
}

func azureAPIVersion(t *testing.T) {
	ctx := t.Context()
	old := newAzureClient(t, laws.Options{Azure: laws.AzureOptions{APIVersion: "2026-04-06"}}, "api-version")
	_, err := old.NewBlockBlobClient("k").Upload(ctx, body("0123"), nil)
	wantAzure(t, "the SDK's version", err, bloberror.InvalidHeaderValue)
	old.absent(t, "k")
	_, err = old.behind.NewBlockBlobClient("k").Upload(ctx, body("0123"), nil)
	wantAzure(t, "put", err, "")
	signed := func(version string) string {
		return old.url(t, "k", func(v *sas.BlobSignatureValues) { v.Version = version })
	}
	for _, tt := range []struct {
		sv, header string
		status     int
		code       string
	}{
		{"2026-04-06", "2026-04-06", 200, ""},
		{"2026-04-06", "", 200, ""},
		{"2026-04-06", "2026-06-06", 400, "InvalidHeaderValue"},
		{"2026-06-06", "2026-04-06", 403, "AuthenticationFailed"},
		{"2026-06-06", "", 403, "AuthenticationFailed"},
	} {
		header := "x-ms-version"
		if tt.header == "" {
			header = ""
		}
		if status, code, _ := get(t, signed(tt.sv), header, tt.header); status != tt.status || code != tt.code {
			t.Errorf("sv %s, x-ms-version %q: %d %s, want %d %s", tt.sv, tt.header, status, code, tt.status, tt.code)
		}
	}
	old.refused(t, 4)

	public := newAzureClient(t, laws.Options{}, "api-version")
	public.put(t, "k", "0123", nil)
	public.refused(t, 0)
}

func azureReadAbsent(t *testing.T) {
	c := newAzureClient(t, laws.Options{}, "read-absent")
	ctx := t.Context()
	c.put(t, "k", "0123", nil)
	p, err := c.NewBlobClient("k").GetProperties(ctx, nil)
	wantAzure(t, "properties", err, "")
	c.put(t, "k", "01234", nil)
	same := conditions(*p.ETag, false)
	for key, want := range map[string]int{"absent": 404, "k": 412} {
		_, err = c.NewBlobClient(key).DownloadStream(ctx, &blob.DownloadStreamOptions{AccessConditions: same})
		wantStatus(t, "GET "+key, err, want)
		_, err = c.NewBlobClient(key).GetProperties(ctx, &blob.GetPropertiesOptions{AccessConditions: same})
		wantStatus(t, "HEAD "+key, err, want)
	}
	_, err = c.NewBlobClient("absent").GetProperties(ctx, nil)
	wantAzure(t, "without conditions", err, bloberror.BlobNotFound)
}

func wantStatus(t *testing.T, what string, err error, status int) {
	t.Helper()
	var r *azcore.ResponseError
	if !errors.As(err, &r) || r.StatusCode != status {
		t.Errorf("%s: %v, want status %d", what, err, status)
	}
}
