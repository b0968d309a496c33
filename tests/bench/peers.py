"""What comparable services promise for a figure, by their own documentation. Amazon Cognito's replication: asynchronous, "near real-time",
without a figure. Keycloak's: both sites on one synchronously replicated database."""

LAG = 'Cognito: no figure, no metric; Keycloak: synchronous database, sites within 10 ms'
SYNC = 'Cognito: asynchronous only; Keycloak: synchronous database, sites within 10 ms'
COPY = 'Cognito: no figure'
PROMOTION = 'Cognito: no promotion'
LOSS = 'Cognito: no figure; routing by your own health check'
