package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/spf13/cobra"
)

// Variables in which a pull-through cache hands its credentials to itself.
const (
	upstreamUser     = "BLOBDOCK_UPSTREAM_USERNAME"
	upstreamPassword = "BLOBDOCK_UPSTREAM_PASSWORD"
)

// startOffline lets a pull-through cache start while the other registry is down. Distribution
// asks the other registry at the start where it takes credentials, and panics without an answer;
// it does not ask where a credential helper has them. This program is that helper.
func startOffline(config *configuration.Configuration) error {
	p := &config.Proxy
	if p.RemoteURL == "" || p.Exec != nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	for name, value := range map[string]string{upstreamUser: p.Username, upstreamPassword: p.Password} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
	}
	p.Exec = &configuration.ExecConfig{Command: self}
	return nil
}

// upstreamCommand implements the protocol of credential helpers: it reads a server's name, and
// prints the credentials for it. Distribution has looked already whether the server may have
// them.
// https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
func upstreamCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "get",
		Short:  "Tell a pull-through cache's credentials to itself",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 4096))
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{
				"ServerURL": strings.TrimSpace(string(server)),
				"Username":  os.Getenv(upstreamUser), "Secret": os.Getenv(upstreamPassword),
			})
		},
	}
}
