package emulator

import (
	"context"
	"fmt"
)

// Image returns the name of an emulator's image: "minio", "fakegcs" or "azurite". It
// builds the image if the Docker engine hasn't got it.
func Image(ctx context.Context, name string) (string, error) {
	for _, svc := range services() {
		if svc.name != name {
			continue
		}
		cli, err := engine(ctx)
		if err != nil {
			return "", err
		}
		defer cli.Close()
		return ensureImage(ctx, cli, svc)
	}
	return "", fmt.Errorf("no emulator is called %q", name)
}
