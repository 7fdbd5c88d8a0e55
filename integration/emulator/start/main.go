// Command start runs an emulator of each cloud until it is interrupted, to try blobdock on
// without an account anywhere:
//
//	go run ./integration/emulator/start
//
// It prints what a shell needs to reach them. All of it is on the loopback interface, the
// credentials are public or made up, and nothing is kept.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/google"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	s3, stopS3, err := emulator.LaunchS3(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopS3()) }()
	gcs, stopGCS, err := emulator.LaunchGCS(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopGCS()) }()
	azure, stopAzure, err := emulator.LaunchAzure(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopAzure()) }()
	dir, err := os.MkdirTemp("", "blobdock-emulators-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	account, err := google.NewAccount()
	if err != nil {
		return err
	}
	defer account.Close()
	accountFile := filepath.Join(dir, "service-account.json")
	if err := account.Write(accountFile); err != nil {
		return err
	}

	for _, v := range [][2]string{
		{"AWS_ENDPOINT_URL_S3", s3.Endpoint}, {"AWS_REGION", s3.Region},
		{"AWS_ACCESS_KEY_ID", s3.AccessKey}, {"AWS_SECRET_ACCESS_KEY", s3.SecretKey},
		{"STORAGE_EMULATOR_HOST", strings.TrimPrefix(gcs.Endpoint, "http://")}, {"SERVICE_ACCOUNT", accountFile},
		{"AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName=" + azure.Account +
			";AccountKey=" + azure.Key + ";BlobEndpoint=" + azure.Endpoint},
	} {
		fmt.Fprintf(out, "export %s='%s'\n", v[0], v[1])
	}
	<-ctx.Done()
	return nil
}
