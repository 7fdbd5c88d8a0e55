package emulator

// Env is the environment by which another test process finds s.
func (s S3) Env() []string {
	return []string{
		wayVar + "=", "BLOBDOCK_S3_ENDPOINT=" + s.Endpoint, "BLOBDOCK_S3_ACCESS_KEY=" + s.AccessKey,
		"BLOBDOCK_S3_SECRET_KEY=" + s.SecretKey, "BLOBDOCK_S3_REGION=" + s.Region, "BLOBDOCK_S3_KMS_KEY=" + s.KMSKey,
	}
}

// Env is the environment by which another test process finds g.
func (g GCS) Env() []string { return []string{wayVar + "=", "BLOBDOCK_GCS_ENDPOINT=" + g.Endpoint} }

// Env is the environment by which another test process finds a.
func (a Azure) Env() []string {
	return []string{
		wayVar + "=", "BLOBDOCK_AZURE_ENDPOINT=" + a.Endpoint, "BLOBDOCK_AZURE_ACCOUNT=" + a.Account, "BLOBDOCK_AZURE_KEY=" + a.Key,
	}
}
