// Command setup makes a bucket of one name on each of the emulators that
// docker-compose.yml starts:
//
//	setup NAME
//
// Where they are and what they ask for it reads from the variables that the
// providers' SDKs read. A bucket that is there already stays as it is.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// patience is for MinIO, which answers its health check before it serves.
const patience = time.Minute

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: setup NAME")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, step := range []struct {
		what string
		make func(ctx context.Context, name string) error
	}{{"S3 bucket", onS3}, {"GCS bucket", onGCS}, {"Azure container", onAzure}} {
		if err := retry(ctx, func() error { return step.make(ctx, name) }); err != nil {
			return fmt.Errorf("%s %s: %w", step.what, name, err)
		}
		fmt.Println(step.what, name)
	}
	return nil
}

// retry returns the last error once ctx is over.
func retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func onS3(ctx context.Context, name string) error {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
	_, err = client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	if there := (*types.BucketAlreadyOwnedByYou)(nil); errors.As(err, &there) {
		return nil
	}
	return err
}

func onGCS(ctx context.Context, name string) error {
	url := "http://" + os.Getenv("STORAGE_EMULATOR_HOST") + "/storage/v1/b?project=blobdock"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"name":"`+name+`"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusConflict {
		return fmt.Errorf("POST %s: %s", url, res.Status)
	}
	return nil
}

func onAzure(ctx context.Context, name string) error {
	client, err := container.NewClientFromConnectionString(os.Getenv("AZURE_STORAGE_CONNECTION_STRING"), name, nil)
	if err != nil {
		return err
	}
	if _, err = client.Create(ctx, nil); bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return nil
	}
	return err
}
