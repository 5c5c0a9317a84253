// The nine messages of the tutorial, byte for byte as it prints them.

/** What the client registers (the tutorial shows no request around it). */
export const M1 = `{
  "client_id": "my-client",
  "client_secret": "supersecret",
  "redirect_uris": ["https://client.example.com/callback"],
  "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:ciba"],
  "response_types": ["code"],
  "scope": "openid profile",
  "backchannel_authentication_endpoint": "https://as.example.com/ciba/auth",
  "token_endpoint": "https://as.example.com/token"
}`;

/** The authentication request. */
export const M2 = `POST /ciba/auth HTTP/1.1
Host: as.example.com
Content-Type: application/x-www-form-urlencoded

client_id=my-client
&client_secret=supersecret
&scope=openid%20profile
&binding_message=Please%20authenticate%20for%20my-client
&requested_expiry=3600
&user_code=abc123`;

/** What the server tells the client. */
export const M3 = `POST /callback HTTP/1.1
Host: client.example.com
Content-Type: application/json

{
  "auth_req_id": "req123",
  "expires_in": 3600,
  "interval": 5,
  "status": "pending"
}`;

/** A poll. */
export const M4 = `POST /token HTTP/1.1
Host: as.example.com
Content-Type: application/x-www-form-urlencoded

grant_type=urn:ietf:params:oauth:grant-type:ciba
&client_id=my-client
&client_secret=supersecret
&auth_req_id=req123`;

/** The answer to a poll once the person has agreed. */
export const M5 = `HTTP/1.1 200 OK
Content-Type: application/json

{
  "access_token": "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...",
  "token_type": "Bearer",
  "expires_in": 3600,
  "id_token": "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9..."
}`;

/** The registration of the smart home device. */
export const M6 = `POST /register HTTP/1.1
Host: as.example.com
Content-Type: application/json

{
  "client_id": "smart-home-device",
  "client_secret": "device-secret",
  "redirect_uris": ["https://device.example.com/callback"],
  "grant_types": ["urn:ietf:params:oauth:grant-type:ciba"],
  "response_types": ["token"],
  "scope": "openid profile",
  "backchannel_authentication_endpoint": "https://as.example.com/ciba/auth",
  "token_endpoint": "https://as.example.com/token"
}`;

/** Its authentication request. */
export const M7 = `POST /ciba/auth HTTP/1.1
Host: as.example.com
Content-Type: application/x-www-form-urlencoded

client_id=smart-home-device
&client_secret=device-secret
&scope=openid%20profile
&binding_message=Please%20authenticate%20your%20smart%20home%20device
&requested_expiry=3600
&user_code=xyz789`;

/** Its poll. */
export const M8 = `POST /token HTTP/1.1
Host: as.example.com
Content-Type: application/x-www-form-urlencoded

grant_type=urn:ietf:params:oauth:grant-type:ciba
&client_id=smart-home-device
&client_secret=device-secret
&auth_req_id=req456`;

/** The answer to that. */
export const M9 = `HTTP/1.1 200 OK
Content-Type: application/json

{
  "access_token": "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...",
  "token_type": "Bearer",
  "expires_in": 3600,
  "id_token": "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9..."
}`;
